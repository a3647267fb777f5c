// Random system calls with arguments that are sometimes nearly right.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <iterator>

#include "call_table.h"
#include "hostile.h"

namespace hostile {
namespace {

constexpr size_t page = 4096;
constexpr size_t arena_size = 64 * page;

// Everything arguments are chosen from.
struct Playground {
  char* arena;      // Readable and writable, with a page nobody may touch behind it.
  char* read_only;  // One page.
  int descriptors[40];
  size_t descriptor_count = 0;

  void add(int fd) {
    if (fd >= 0 && descriptor_count < std::size(descriptors)) descriptors[descriptor_count++] = fd;
  }
};

const char* const paths[] = {"x",
                             "y",
                             "d",
                             "d/x",
                             "..",
                             ".",
                             "/",
                             "",
                             "/proc/self/maps",
                             "/proc/self/mem",
                             "/proc/self/status",
                             "/proc/self/fd/5",
                             "/dev/null",
                             "/dev/zero",
                             "/dev/full",
                             "/dev/urandom",
                             "/dev/tty",
                             "/dev/ptmx",
                             "/tmp",
                             "/sys/class",
                             "user.name",
                             "/proc/self/exe",
                             "link",
                             "/proc/self/task",
                             "/proc/1/environ",
                             "a/b/c/d/e"};

void prepare(Playground& ground, Random& random) {
  ground.arena = static_cast<char*>(
      mmap(nullptr, arena_size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (ground.arena == MAP_FAILED) _exit(0);
  mprotect(ground.arena + arena_size, page, PROT_NONE);
  ground.read_only = static_cast<char*>(mmap(nullptr, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mkdir("d", 0700) != 0 || symlink("link", "link") != 0) _exit(0);
  ground.add(open("x", O_RDWR | O_CREAT, 0600));
  ground.add(open("d", O_RDONLY | O_DIRECTORY));
  ground.add(open(".", O_PATH));
  for (const char* name :
       {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/proc/self/maps", "/proc/self/mem"}) {
    ground.add(open(name, O_RDWR | O_NONBLOCK));
    ground.add(open(name, O_RDONLY));
  }
  int ends[2];
  for (const int flags : {0, O_NONBLOCK, O_DIRECT}) {
    if (pipe2(ends, flags) == 0) ground.add(ends[0]), ground.add(ends[1]);
  }
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) == 0) ground.add(ends[0]), ground.add(ends[1]);
  }
  ground.add(socket(AF_UNIX, SOCK_STREAM, 0));
  ground.add(eventfd(0, EFD_NONBLOCK));
  ground.add(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  ground.add(epoll_create1(0));
  ground.add(inotify_init1(IN_NONBLOCK));
  ground.add(memfd_create("m", MFD_ALLOW_SEALING));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ground.add(signalfd(-1, &set, SFD_NONBLOCK));
  ground.add(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
  // Random numbers, with some pages that look like what calls expect.
  for (size_t i = 0; i < arena_size; i += 8) {
    uint64_t value = random.next();
    if (random.one_in(3)) value %= 64;
    if (random.one_in(4)) value = reinterpret_cast<uint64_t>(ground.arena + random.below(arena_size));
    memcpy(ground.arena + i, &value, 8);
  }
}

uint64_t edge_number(Random& random) {
  const uint64_t values[] = {0,
                             1,
                             2,
                             3,
                             7,
                             8,
                             16,
                             63,
                             64,
                             65,
                             255,
                             4095,
                             4096,
                             4097,
                             65535,
                             65536,
                             INT_MAX,
                             (uint64_t)INT_MIN,
                             UINT_MAX,
                             1ull << 32,
                             LONG_MAX,
                             (uint64_t)LONG_MIN,
                             ~0ull,
                             ~0ull - 1,
                             ~0ull - 4095,
                             0x7fffffffffffull,
                             0x800000000000ull,
                             0xffff800000000000ull};
  return values[random.below(std::size(values))];
}

uint64_t pointer(Playground& ground, Random& random) {
  switch (random.below(12)) {
    case 0:
      return 0;
    case 1:
      return edge_number(random);
    case 2:
      return reinterpret_cast<uint64_t>(ground.read_only + random.below(page));
    case 3:
      return reinterpret_cast<uint64_t>(ground.arena + arena_size - random.below(64));
    case 4:
      return reinterpret_cast<uint64_t>(ground.arena + arena_size + random.below(page));
    case 5:
      return 0xffff800000000000ull + random.below(1ull << 46);
    default:
      return reinterpret_cast<uint64_t>(ground.arena + (random.below(arena_size) & ~7ull));
  }
}

uint64_t argument(char kind, Playground& ground, Random& random) {
  switch (kind) {
    case 'd':
      if (random.one_in(2)) return (uint64_t)AT_FDCWD;
      [[fallthrough]];
    case 'f':
      if (random.one_in(16)) return edge_number(random);
      return (uint64_t)ground.descriptors[random.below(ground.descriptor_count)];
    case 's':
      if (random.one_in(8)) return pointer(ground, random);
      return reinterpret_cast<uint64_t>(paths[random.below(std::size(paths))]);
    case 'p':
      return pointer(ground, random);
    case 'l':
      return random.one_in(3) ? edge_number(random) : random.below(8192);
    case 'g': {
      if (random.one_in(4)) return random.one_in(2) ? 0 : random.next();
      uint64_t flags = 0;
      for (uint64_t bits = 1 + random.below(3); bits > 0; bits--) flags |= 1ull << random.below(24);
      return flags;
    }
    case 'i':
      return random.one_in(6) ? edge_number(random) : random.below(40);
    case 'o':
      return random.one_in(3) ? edge_number(random) : random.below(1 << 20);
    case 'm':
      if (random.one_in(12)) return pointer(ground, random);
      return reinterpret_cast<uint64_t>(ground.arena + (random.below(arena_size) & ~(page - 1)));
    case 'k':
      return random.one_in(4) ? edge_number(random) : random.below(70);
    case 'c':
      return random.one_in(6) ? edge_number(random) : random.below(12);
    case 't':
      return random.one_in(3) ? 0 : random.one_in(2) ? (uint64_t)getpid() : 0x3ffffff0;
    // Where a signal goes: only oneself.
    case 'T':
      return (uint64_t)getpid();
  }
  return 0;
}

// An alarm every few milliseconds gets the child out of calls that wait; random calls may have undone it.
void arm_alarm() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(SIGALRM, &action, nullptr);
  const itimerval often = {{0, 3000}, {0, 3000}};
  setitimer(ITIMER_REAL, &often, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

void random_calls(Random& random, const Options& options) {
  Playground ground;
  prepare(ground, random);
  const pid_t self = getpid();
  for (int i = 0; i < 400; i++) {
    const Call& call = calls[random.below(std::size(calls))];
    uint64_t values[6] = {};
    for (int at = 0; call.arguments[at]; at++) values[at] = argument(call.arguments[at], ground, random);
    // clone3 reads its flags from memory: only a plain fork, or a pointer that is no good.
    if (call.number == SYS_clone3) {
      const uint64_t block[11] = {0, 0, 0, 0, SIGCHLD};
      memcpy(ground.arena, block, sizeof block);
      values[0] = random.one_in(2) ? reinterpret_cast<uint64_t>(ground.arena) : edge_number(random) | 1;
    }
    arm_alarm();
    if (options.verbose) {
      dprintf(2, "%s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", call.name, (long)values[0], (long)values[1],
              (long)values[2], (long)values[3], (long)values[4], (long)values[5]);
    }
    const long result =
        syscall(call.number, values[0], values[1], values[2], values[3], values[4], values[5]);
    if (call.number == SYS_clone3 && getpid() != self) _exit(0);
    if (result > 2 && result < 1000 && random.one_in(4) && strchr("fd", call.arguments[0])) {
      ground.descriptors[random.below(ground.descriptor_count)] = (int)result;
    }
  }
}

}  // namespace hostile
