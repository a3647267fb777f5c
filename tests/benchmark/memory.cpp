// Mappings and page faults. Pages of the basic size on every kernel: huge ones are another matter.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

volatile char* map(size_t length, int flags, int file = -1) {
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, flags, file, 0);
  require(memory != MAP_FAILED, "mmap");
  madvise(memory, length, MADV_NOHUGEPAGE);
  return static_cast<volatile char*>(memory);
}

void unmap(volatile char* memory, size_t length) { munmap(const_cast<char*>(memory), length); }

void write_each_page(volatile char* memory, size_t length) {
  for (size_t i = 0; i < length; i += page_size) memory[i] = 1;
}

void measure_mappings() {
  measure("mmap-page", "mmap + touch + munmap, 4 KiB", 200, [](int count) {
    while (count-- > 0) {
      volatile char* memory = map(page_size, MAP_PRIVATE | MAP_ANONYMOUS);
      memory[0] = 1;
      unmap(memory, page_size);
    }
  });
  measure("mmap-mib", "mmap + touch + munmap, 1 MiB", 10, [](int count) {
    constexpr size_t length = 1 << 20;
    while (count-- > 0) {
      volatile char* memory = map(length, MAP_PRIVATE | MAP_ANONYMOUS);
      write_each_page(memory, length);
      unmap(memory, length);
    }
  });
  volatile char* memory = map(page_size, MAP_PRIVATE | MAP_ANONYMOUS);
  memory[0] = 1;
  measure("mprotect", "mprotect of a page, there and back", 500, [memory](int count) {
    void* page = const_cast<char*>(memory);
    while (count-- > 0) {
      require(
          mprotect(page, page_size, PROT_READ) == 0 && mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0,
          "mprotect");
    }
  });
  unmap(memory, page_size);
}

void measure_file_faults() {
  constexpr size_t pages = 512;
  static char page[page_size];
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
  require(file >= 0, "create");
  for (size_t i = 0; i < pages; i++) require(write(file, page, sizeof page) == sizeof page, "write");
  // Sixteen pages apart, so that what one fault brings in beside its page saves no other.
  measure("file-fault", "fault on a page of a file", 32, [file](int count) {
    size_t length = pages * page_size;
    volatile char* memory = map(length, MAP_SHARED, file);
    for (int i = 0; i < count; i++) (void)memory[static_cast<size_t>(i) * 16 % pages * page_size];
    unmap(memory, length);
  });
  measure("file-read-mapped", "read every page of a mapped file, a page", 512, [file](int count) {
    size_t length = static_cast<size_t>(count) * page_size;
    volatile char* memory = map(length, MAP_SHARED, file);
    for (size_t i = 0; i < length; i += page_size) (void)memory[i];
    unmap(memory, length);
  });
  close(file);
  unlink("file");
}

// The child writes pages that it shares with its parent; what the fork itself costs is in the row, once for
// all of them.
void measure_copies() {
  measure("copy-on-write-fault", "copy-on-write fault", 512, [](int count) {
    size_t length = static_cast<size_t>(count) * page_size;
    volatile char* memory = map(length, MAP_PRIVATE | MAP_ANONYMOUS);
    write_each_page(memory, length);
    pid_t child = fork();
    require(child >= 0, "fork");
    if (child == 0) {
      write_each_page(memory, length);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    unmap(memory, length);
  });
}

}  // namespace

void measure_memory() {
  measure("anonymous-fault", "anonymous page fault", 512, [](int count) {
    size_t length = static_cast<size_t>(count) * page_size;
    volatile char* memory = map(length, MAP_PRIVATE | MAP_ANONYMOUS);
    write_each_page(memory, length);
    unmap(memory, length);
  });
  measure_file_faults();
  measure_copies();
  measure_mappings();
}

}  // namespace benchmark
