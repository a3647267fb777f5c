// Touches more memory than there is, and looks whether it stays what it was. Each mode ends with "MODE:
// good".
//
//   load swapon DEVICE PRIORITY
//   load MODE MIB      anonymous, shared, fork, pageout, locked, monitored, hold (until its standard input
//   ends)
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr size_t page = 4096;

[[noreturn]] void fail(const char* what, size_t where) {
  printf("%s at page %zu\n", what, where);
  _exit(1);
}

uint64_t word_of(uint64_t seed, size_t index, size_t word) {
  uint64_t value = seed * 0x9e3779b97f4a7c15u + index * 512 + word;
  value ^= value >> 31;
  value *= 0xbf58476d1ce4e5b9u;
  return value ^ value >> 29;
}

// Every eighth word: what is lost is lost by the page.
void fill(char* memory, size_t from, size_t to, uint64_t seed) {
  for (size_t i = from; i < to; ++i) {
    auto* words = reinterpret_cast<uint64_t*>(memory + i * page);
    for (size_t word = 0; word < page / 8; word += 8) words[word] = word_of(seed, i, word);
  }
}

void check(const char* memory, size_t from, size_t to, uint64_t seed) {
  for (size_t i = from; i < to; ++i) {
    auto* words = reinterpret_cast<const uint64_t*>(memory + i * page);
    for (size_t word = 0; word < page / 8; word += 8)
      if (words[word] != word_of(seed, i, word)) fail("wrong contents", i);
  }
}

char* map(size_t pages, int flags) {
  void* memory =
      mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("no mapping", pages);
  return static_cast<char*>(memory);
}

// Of /proc/self/status, in KiB.
long status(const char* name) {
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  long value = -1;
  while (file && fgets(line, sizeof(line), file))
    if (!strncmp(line, name, strlen(name))) value = atol(line + strlen(name) + 1);
  if (file) fclose(file);
  return value;
}

void wait_for(pid_t child) {
  int result;
  if (waitpid(child, &result, 0) != child || result) fail("the child failed", static_cast<size_t>(result));
}

void touch(size_t pages, int flags) {
  char* memory = map(pages, flags);
  fill(memory, 0, pages, 1);
  check(memory, 0, pages, 1);
  // Half of it anew: what comes in is written and goes out again.
  fill(memory, pages / 4, pages / 4 * 3, 2);
  check(memory, 0, pages / 4, 1);
  check(memory, pages / 4, pages / 4 * 3, 2);
  check(memory, pages / 4 * 3, pages, 1);
}

void forks(size_t pages) {
  char* memory = map(pages, MAP_PRIVATE);
  fill(memory, 0, pages, 1);
  pid_t children[2];
  for (uint64_t i = 0; i < 2; ++i) {
    children[i] = fork();
    if (children[i] < 0) fail("no fork", i);
    if (children[i]) continue;
    check(memory, 0, pages, 1);
    fill(memory, 0, pages / 8, 10 + i);
    check(memory, pages / 8, pages, 1);
    check(memory, 0, pages / 8, 10 + i);
    _exit(0);
  }
  fill(memory, pages / 2, pages, 3);
  for (pid_t child : children) wait_for(child);
  check(memory, 0, pages / 2, 1);
  check(memory, pages / 2, pages, 3);
}

void page_out(size_t pages) {
  char* memory = map(pages, MAP_PRIVATE);
  fill(memory, 0, pages, 1);
  long before = status("VmRSS:");
  if (madvise(memory, pages * page, MADV_PAGEOUT)) fail("madvise", pages);
  long out = status("VmSwap:");
  if (out < static_cast<long>(pages * 4) * 9 / 10) fail("little has left", static_cast<size_t>(out));
  if (before - status("VmRSS:") < static_cast<long>(pages * 4) * 9 / 10) fail("it is still here", pages);
  auto* present = static_cast<unsigned char*>(malloc(pages));
  if (mincore(memory, pages * page, present)) fail("mincore", pages);
  size_t there = 0;
  for (size_t i = 0; i < pages; ++i) there += present[i] & 1;
  if (there > pages / 10) fail("mincore says that it is here", there);
  // It moves, and is what it was.
  auto* target = static_cast<char*>(mremap(memory, pages * page, pages * page * 2, MREMAP_MAYMOVE));
  if (target == MAP_FAILED) fail("mremap", pages);
  if (madvise(target, pages / 2 * page, MADV_WILLNEED)) fail("willneed", pages);
  check(target, 0, pages, 1);
  if (madvise(target, pages * page, MADV_PAGEOUT)) fail("madvise", pages);
  if (madvise(target, pages / 2 * page, MADV_DONTNEED)) fail("dontneed", pages);
  check(target, pages / 2, pages, 1);
  for (size_t i = 0; i < pages / 2; ++i)
    if (target[i * page]) fail("not zero", i);
  munmap(target, pages * page * 2);
  if (status("VmSwap:") > 512) fail("slots are left", static_cast<size_t>(status("VmSwap:")));
}

void locked(size_t pages) {
  char* memory = map(pages, MAP_PRIVATE);
  fill(memory, 0, pages, 1);
  if (madvise(memory, pages * page, MADV_PAGEOUT)) fail("madvise", pages);
  if (mlock(memory, pages * page)) fail("mlock", pages);
  auto* present = static_cast<unsigned char*>(malloc(pages));
  auto all_here = [&] {
    if (mincore(memory, pages * page, present)) fail("mincore", pages);
    for (size_t i = 0; i < pages; ++i)
      if (!(present[i] & 1)) fail("locked and not here", i);
  };
  all_here();
  touch(96 << 20 >> 12, MAP_PRIVATE);
  all_here();
  check(memory, 0, pages, 1);
}

// linux/userfaultfd.h, which the C library here does not have.
struct Range {
  uint64_t start, length;
};
struct MonitorApi {
  uint64_t api = 0xaa, features = 0, ioctls = 0;
};
struct MonitorRegister {
  Range range;
  uint64_t mode = 3, ioctls = 0;  // missing pages and write protection
};
struct MonitorCopy {
  uint64_t target, source, length, mode = 0;
  int64_t copied = 0;
};
struct MonitorProtect {
  Range range;
  uint64_t mode;
};
constexpr unsigned long monitor_api = _IOWR(0xaa, 0x3f, MonitorApi),
                        monitor_register = _IOWR(0xaa, 0, MonitorRegister),
                        monitor_copy = _IOWR(0xaa, 3, MonitorCopy),
                        monitor_protect = _IOWR(0xaa, 6, MonitorProtect);

// What a userfaultfd watches: what had left before is not missing, write protection brings it back, and no
// mark is lost while memory is short.
void monitored(size_t pages) {
  char* memory = map(pages, MAP_PRIVATE);
  fill(memory, 0, pages, 1);
  if (madvise(memory, pages * page, MADV_PAGEOUT)) fail("madvise", pages);
  if (status("VmSwap:") < static_cast<long>(pages * 4) / 2) fail("little has left", pages);
  int monitor = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
  auto start = reinterpret_cast<uintptr_t>(memory);
  MonitorApi api;
  MonitorRegister range{.range = {start, pages * page}};
  if (monitor < 0 || ioctl(monitor, monitor_api, &api) || ioctl(monitor, monitor_register, &range))
    fail("no monitor", pages);
  check(memory, 0, pages / 4, 1);  // nobody would answer a fault here
  MonitorCopy copy{.target = start + pages / 2 * page, .source = start, .length = page};
  if (!ioctl(monitor, monitor_copy, &copy)) fail("the monitor replaced what was there", pages / 2);
  MonitorProtect protect{{start, pages * page}, 1};
  if (ioctl(monitor, monitor_protect, &protect)) fail("no protection", pages);
  if (madvise(memory, pages * page, MADV_PAGEOUT)) fail("madvise", pages);
  touch(96 << 20 >> 12, MAP_PRIVATE);
  check(memory, 0, pages, 1);
  pid_t child = fork();
  if (child == 0) {  // is not watched
    fill(memory, 0, pages, 2);
    check(memory, 0, pages, 2);
    _exit(0);
  }
  wait_for(child);
  // Every write is heard of.
  pthread_t thread;
  auto write = [](void* to) -> void* {
    fill(static_cast<char*>(to), 0, 64, 3);
    return nullptr;
  };
  if (pthread_create(&thread, nullptr, write, memory)) fail("no thread", 0);
  for (size_t i = 0; i < 64; ++i) {
    uint64_t message[4];
    if (read(monitor, message, sizeof(message)) != sizeof(message)) fail("no message", i);
    if ((message[0] & 0xff) != 0x12 || message[2] / page != start / page + i) fail("another message", i);
    MonitorProtect allow{{start + i * page, page}, 0};
    if (ioctl(monitor, monitor_protect, &allow)) fail("cannot allow it", i);
  }
  pthread_join(thread, nullptr);
  close(monitor);
  check(memory, 0, 64, 3);
  check(memory, 64, pages, 1);
}

void hold(size_t pages) {
  char* memory = map(pages, MAP_PRIVATE);
  fill(memory, 0, pages, 7);
  printf("holding\n");
  fflush(stdout);
  for (char byte; read(0, &byte, 1) > 0;) check(memory, 0, pages, 7);
  check(memory, 0, pages, 7);
}

}  // namespace

int main(int count, char** words) {
  if (count == 4 && !strcmp(words[1], "swapon"))
    return swapon(words[2], SWAP_FLAG_PREFER | atoi(words[3])) ? 1 : 0;
  if (count != 3) return 2;
  size_t pages = strtoul(words[2], nullptr, 10) << 20 >> 12;
  const char* mode = words[1];
  if (!strcmp(mode, "anonymous")) touch(pages, MAP_PRIVATE);
  if (!strcmp(mode, "shared")) touch(pages, MAP_SHARED);
  if (!strcmp(mode, "fork")) forks(pages);
  if (!strcmp(mode, "pageout")) page_out(pages);
  if (!strcmp(mode, "locked")) locked(pages);
  if (!strcmp(mode, "monitored")) monitored(pages);
  if (!strcmp(mode, "hold")) hold(pages);
  printf("%s: good\n", mode);
  return 0;
}
