// The cost of the kernel's everyday operations, in ticks of the guest's counter. Runs as /init, on any
// kernel:
//
//   row NAME TICKS COUNT  one line per operation: the cheapest of several batches, per operation; and how
//   many
//                         operations all batches did between two marks (ticks.h)
//   done                  at the end; then the machine powers off
//
// Under QEMU's instruction counting a tick is an executed instruction and the figures are the same from run
// to run.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ticks.h"

namespace {

constexpr int batches = 7;
constexpr size_t page_size = 4096;
// futex(2); musl ships no linux/futex.h.
constexpr int futex_wait_private = 0 | 128;
constexpr int futex_wake_private = 1 | 128;

[[noreturn]] void fail(const char* what) {
  printf("error %s: %s\n", what, strerror(errno));
  fflush(stdout);
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

void require(bool condition, const char* what) {
  if (!condition) fail(what);
}

// Runs `batch`, which does `count` operations, several times, and prints the cost of one in the cheapest
// batch.
template <typename Batch>
void measure(const char* name, int count, Batch batch) {
  batch(count / 4 + 1);  // caches and lazily made structures
  uint64_t best = UINT64_MAX;
  mark();
  for (int i = 0; i < batches; i++) {
    uint64_t start = ticks();
    batch(count);
    uint64_t spent = ticks() - start;
    if (spent < best) best = spent;
  }
  mark();
  printf("row %s %llu %d\n", name, static_cast<unsigned long long>(best / static_cast<uint64_t>(count)),
         count * batches);
  fflush(stdout);
}

void measure_calls() {
  measure("getppid", 2000, [](int count) {
    while (count-- > 0) syscall(SYS_getppid);
  });

  int zero = open("/dev/zero", O_RDONLY);
  require(zero >= 0, "open /dev/zero");
  measure("read-zero", 2000, [zero](int count) {
    char byte;
    while (count-- > 0) require(read(zero, &byte, 1) == 1, "read");
  });
  close(zero);

  int file = open("/benchmark-file", O_RDWR | O_CREAT, 0644);
  require(file >= 0, "create a file");
  measure("fstat", 2000, [file](int count) {
    struct stat status;
    while (count-- > 0) require(fstat(file, &status) == 0, "fstat");
  });
  close(file);

  measure("open-close", 1000, [](int count) {
    while (count-- > 0) {
      int descriptor = open("/benchmark-file", O_RDONLY);
      require(descriptor >= 0, "open");
      close(descriptor);
    }
  });
}

// A byte there and back between two processes.
void measure_pipe() {
  int there[2];
  int back[2];
  require(pipe(there) == 0 && pipe(back) == 0, "pipe");
  pid_t echo = fork();
  require(echo >= 0, "fork");
  if (echo == 0) {
    close(there[1]);
    close(back[0]);
    char byte;
    while (read(there[0], &byte, 1) == 1) {
      if (write(back[1], &byte, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  close(there[0]);
  close(back[1]);
  measure("pipe-round-trip", 500, [&](int count) {
    char byte = 'x';
    while (count-- > 0) require(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
  });
  close(there[1]);
  close(back[0]);
  waitpid(echo, nullptr, 0);
}

void measure_processes() {
  measure("fork-exit-wait", 60, [](int count) {
    while (count-- > 0) {
      pid_t child = fork();
      if (child == 0) _exit(0);
      require(child > 0 && waitpid(child, nullptr, 0) == child, "fork");
    }
  });
}

void measure_faults() {
  measure("anonymous-fault", 512, [](int count) {
    size_t length = static_cast<size_t>(count) * page_size;
    auto* memory = static_cast<volatile char*>(
        mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    require(memory != MAP_FAILED, "mmap");
    // Pages of the basic size on both kernels: huge ones are another row.
    madvise(const_cast<char*>(memory), length, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < length; i += page_size) memory[i] = 1;
    munmap(const_cast<char*>(memory), length);
  });
}

volatile sig_atomic_t signals_seen = 0;

void measure_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { signals_seen = signals_seen + 1; };
  require(sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
  pid_t self = getpid();
  measure("signal-to-self", 500, [self](int count) {
    while (count-- > 0) kill(self, SIGUSR1);
  });
  require(signals_seen > 0, "signal");
}

// Two threads hand a turn to each other.
struct Turn {
  int value = 0;

  void wait_for(int wanted) {
    for (;;) {
      int seen = __atomic_load_n(&value, __ATOMIC_ACQUIRE);
      if (seen == wanted) return;
      syscall(SYS_futex, &value, futex_wait_private, seen, nullptr, nullptr, 0);
    }
  }
  void give(int next) {
    __atomic_store_n(&value, next, __ATOMIC_RELEASE);
    syscall(SYS_futex, &value, futex_wake_private, 1, nullptr, nullptr, 0);
  }
};

constexpr int ours = 0;
constexpr int theirs = 1;
constexpr int over = 2;
Turn turn;

void* answer(void*) {
  for (;;) {
    int seen = __atomic_load_n(&turn.value, __ATOMIC_ACQUIRE);
    if (seen == over) return nullptr;
    if (seen == theirs) {
      turn.give(ours);
    } else {
      syscall(SYS_futex, &turn.value, futex_wait_private, seen, nullptr, nullptr, 0);
    }
  }
}

void measure_futex() {
  pthread_t thread;
  require(pthread_create(&thread, nullptr, answer, nullptr) == 0, "pthread_create");
  measure("futex-round-trip", 500, [](int count) {
    while (count-- > 0) {
      turn.give(theirs);
      turn.wait_for(ours);
    }
  });
  turn.give(over);
  pthread_join(thread, nullptr);
}

}  // namespace

int main() {
  uint64_t first = ticks();
  mark();
  // The first program of a guest has whatever the kernel opened for it; the console is sure only after this.
  mkdir("/dev", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  int console = open("/dev/console", O_RDWR);
  if (console >= 0) {
    dup2(console, STDOUT_FILENO);
    dup2(console, STDERR_FILENO);
  }
  printf("row first-user-instruction %llu 1\n", static_cast<unsigned long long>(first));
  measure_calls();
  measure_pipe();
  measure_processes();
  measure_faults();
  measure_signals();
  measure_futex();
  printf("done\n");
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
