// Jobs about memory: mappings that change all the time, compared with a model.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

namespace torture {
namespace {

constexpr size_t page = 4096;

// An area whose pages each hold a number in all their words, 0 for fresh ones.
struct Area {
  static constexpr size_t pages = 64;
  char* base = nullptr;
  uint64_t values[pages] = {};
  enum State : unsigned char { writable, read_only, none, unmapped } states[pages] = {};
};

void put(Area& area, size_t index, uint64_t value) {
  auto* words = reinterpret_cast<uint64_t*>(area.base + index * page);
  words[0] = words[page / 16] = words[page / 8 - 1] = value;
  area.values[index] = value;
}

void verify(const Area& area) {
  for (size_t i = 0; i < Area::pages; i++) {
    if (area.states[i] == Area::none || area.states[i] == Area::unmapped) continue;
    const auto* words = reinterpret_cast<const uint64_t*>(area.base + i * page);
    CHECK(words[0] == area.values[i]);
    CHECK(words[page / 16] == area.values[i]);
    CHECK(words[page / 8 - 1] == area.values[i]);
  }
}

void protect(Area& area, size_t start, size_t count, int protection, Area::State state) {
  for (size_t i = start; i < start + count; i++) {
    if (area.states[i] == Area::unmapped) continue;
    CHECK(mprotect(area.base + i * page, page, protection) == 0);
    area.states[i] = state;
  }
}

void change(Area& area, Random& random) {
  const size_t start = random.below(Area::pages);
  const size_t count = 1 + random.below(Area::pages - start);
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      for (size_t i = start; i < start + count; i++) {
        if (area.states[i] == Area::writable) put(area, i, random.next());
      }
      break;
    case 3:
      protect(area, start, count, PROT_READ, Area::read_only);
      break;
    case 4:
      protect(area, start, count, PROT_READ | PROT_WRITE, Area::writable);
      break;
    case 5:
      protect(area, start, count, PROT_NONE, Area::none);
      break;
    case 6:
      if (random.one_in(2)) {
        CHECK(munmap(area.base + start * page, count * page) == 0);
        for (size_t i = start; i < start + count; i++) area.states[i] = Area::unmapped, area.values[i] = 0;
      } else {
        void* place = area.base + start * page;
        const void* got =
            mmap(place, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(got == place || errno == ENOMEM);
        if (got != place) break;
        for (size_t i = start; i < start + count; i++) area.states[i] = Area::writable, area.values[i] = 0;
      }
      break;
    case 7:
      for (size_t i = start; i < start + count; i++) {
        if (area.states[i] == Area::unmapped) continue;
        CHECK(madvise(area.base + i * page, page, MADV_DONTNEED) == 0);
        area.values[i] = 0;
      }
      break;
  }
}

JOB(mappings) {
  Area area;
  void* base = mmap(nullptr, Area::pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return;
  area.base = static_cast<char*>(base);
  for (int step = 0; step < 60; step++) {
    change(area, random);
    if (random.one_in(8)) verify(area);
    if (random.one_in(30)) {
      // A child sees the same and may change everything.
      const uint64_t seed = random.next();
      const pid_t child = try_fork();
      if (child == 0) {
        Random own(seed);
        verify(area);
        for (int i = 0; i < 20; i++) change(area, own);
        verify(area);
        _exit(0);
      }
      if (child > 0) {
        change(area, random);
        expect_exit(child, 0);
      }
    }
  }
  verify(area);
  CHECK(munmap(area.base, Area::pages * page) == 0);
}

JOB(remap) {
  size_t pages = 1 + random.below(16);
  char* memory = static_cast<char*>(
      mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) return;
  std::string model(pages * page, '\0');
  for (int step = 0; step < 20; step++) {
    const std::string data = pattern(random.next(), 1 + random.below(page));
    const size_t at = random.below(model.size() - data.size() + 1);
    memcpy(memory + at, data.data(), data.size());
    model.replace(at, data.size(), data);
    const size_t wanted = 1 + random.below(64);
    void* moved = mremap(memory, pages * page, wanted * page, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
      CHECK(errno == ENOMEM);
      continue;
    }
    memory = static_cast<char*>(moved);
    pages = wanted;
    model.resize(pages * page, '\0');
    CHECK(memcmp(memory, model.data(), model.size()) == 0);
  }
  CHECK(munmap(memory, pages * page) == 0);
}

JOB(file_mapping) {
  const std::string name = work_directory() + "/mapped";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  constexpr size_t size = 32 * page;
  CHECK(ftruncate(fd, size) == 0);
  char* shared = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char* second = static_cast<char*>(mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0));
  CHECK(shared != MAP_FAILED && second != MAP_FAILED);
  std::string model(size, '\0');
  for (int step = 0; step < 30; step++) {
    const std::string data = pattern(random.next(), 1 + random.below(3 * page));
    const size_t at = random.below(size - data.size() + 1);
    if (random.one_in(2)) {
      memcpy(shared + at, data.data(), data.size());
    } else {
      CHECK(pwrite(fd, data.data(), data.size(), (off_t)at) == (ssize_t)data.size());
    }
    model.replace(at, data.size(), data);
    if (random.one_in(6)) CHECK(memcmp(second, model.data(), size) == 0);
    if (random.one_in(10)) {
      std::string back(size, 'x');
      CHECK(pread(fd, back.data(), size, 0) == (ssize_t)size);
      CHECK(back == model);
    }
    if (random.one_in(10)) {
      const size_t shorter = random.below(size);
      CHECK(ftruncate(fd, (off_t)shorter) == 0);
      CHECK(ftruncate(fd, size) == 0);
      model.replace(shorter, size - shorter, size - shorter, '\0');
    }
    if (random.one_in(10)) {
      const pid_t child = try_fork();
      if (child == 0) {
        CHECK(memcmp(shared, model.data(), size) == 0);
        shared[7] ^= 1;
        _exit(0);
      }
      if (child > 0) {
        expect_exit(child, 0);
        model[7] ^= 1;
      }
    }
  }
  CHECK(memcmp(shared, model.data(), size) == 0);
  CHECK(munmap(shared, size) == 0);
  CHECK(munmap(second, size) == 0);
  close(fd);
  CHECK(unlink(name.c_str()) == 0);
}

JOB(private_file_mapping) {
  const std::string name = work_directory() + "/private";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  const std::string content = pattern(random.next(), 16 * page);
  write_all(fd, content.data(), content.size());
  char* copy = static_cast<char*>(mmap(nullptr, content.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  CHECK(copy != MAP_FAILED);
  std::string model = content;
  for (int i = 0; i < 40; i++) {
    const size_t at = random.below(content.size());
    copy[at] = model[at] = static_cast<char>(random.next());
  }
  CHECK(memcmp(copy, model.data(), model.size()) == 0);
  std::string back(content.size(), 0);
  CHECK(pread(fd, back.data(), back.size(), 0) == (ssize_t)back.size());
  CHECK(back == content);
  munmap(copy, content.size());
  close(fd);
  CHECK(unlink(name.c_str()) == 0);
}

sigjmp_buf after_fault;

JOB(faults) {
  // Wild accesses come back as signals, again and again.
  struct sigaction action = {}, old_segv, old_bus;
  action.sa_handler = [](int) { siglongjmp(after_fault, 1); };
  sigaction(SIGSEGV, &action, &old_segv);
  sigaction(SIGBUS, &action, &old_bus);
  char* memory =
      static_cast<char*>(mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory != MAP_FAILED) {
    mprotect(memory + page, page, PROT_NONE);
    mprotect(memory + 2 * page, page, PROT_READ);
    char* const wild[] = {memory + page + 5, memory + 2 * page + 9, reinterpret_cast<char*>(16),
                          reinterpret_cast<char*>(~0xfffful)};
    for (volatile int i = 0; i < 20; i = i + 1) {
      volatile char* target = wild[random.below(4)];
      if (sigsetjmp(after_fault, 1) == 0) {
        *target = 1;
        CHECK(!"the access should have faulted");
      }
    }
    munmap(memory, 4 * page);
  }
  sigaction(SIGSEGV, &old_segv, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
}

JOB(big_allocation) {
  const size_t size = (1 + random.below(16)) << 20;
  char* memory =
      static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) return;
  const uint64_t seed = random.next();
  for (size_t i = 0; i < size; i += page) *reinterpret_cast<uint64_t*>(memory + i) = seed + i;
  for (size_t i = 0; i < size; i += page) CHECK(*reinterpret_cast<uint64_t*>(memory + i) == seed + i);
  CHECK(munmap(memory, size) == 0);
}

}  // namespace
}  // namespace torture
