// Memory for tests: pages with known surroundings, and addresses that are never valid.
#pragma once

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

namespace conformance {

inline size_t page_size() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// Some pages that are unmapped again at the end. data() is MAP_FAILED if there was no memory.
class Mapping {
 public:
  Mapping(size_t size, int protection = PROT_READ | PROT_WRITE, int flags = MAP_PRIVATE | MAP_ANONYMOUS,
          int fd = -1, off_t offset = 0)
      : data_(static_cast<char*>(mmap(nullptr, size, protection, flags, fd, offset))), size_(size) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (valid()) munmap(data_, size_);
  }

  bool valid() const { return data_ != MAP_FAILED; }
  char* data() const { return data_; }
  size_t size() const { return size_; }
  char& operator[](size_t index) const { return data_[index]; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  char* data_;
  size_t size_;
};

// One writable page followed by one that cannot be touched: end() is the first bad address.
class GuardedPage {
 public:
  GuardedPage() : mapping_(2 * page_size()) {
    if (mapping_.valid()) mprotect(mapping_.data() + page_size(), page_size(), PROT_NONE);
  }
  char* data() const { return mapping_.data(); }
  char* end() const { return mapping_.data() + page_size(); }

 private:
  Mapping mapping_;
};

// An address in the half that belongs to the kernel.
inline void* kernel_address() { return reinterpret_cast<void*>(~0xfffful); }
// An address nobody maps: below vm.mmap_min_addr.
inline void* low_address() { return reinterpret_cast<void*>(8ul); }

}  // namespace conformance
