// A turn there and back between two processes or two threads: what it costs to wake somebody and to wait.
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

// Starts a child that sends back whatever comes, in messages of `length` bytes, until there is nothing more.
pid_t start_echo(int in, int out, size_t length, const int (&to_close)[2]) {
  pid_t echo = fork();
  require(echo >= 0, "fork");
  if (echo != 0) return echo;
  for (int descriptor : to_close) {
    if (descriptor >= 0) close(descriptor);
  }
  char message[8];
  while (read(in, message, length) == static_cast<ssize_t>(length)) {
    if (write(out, message, length) != static_cast<ssize_t>(length)) _exit(1);
  }
  _exit(0);
}

void measure_pipe() {
  int there[2];
  int back[2];
  require(pipe(there) == 0 && pipe(back) == 0, "pipe");
  pid_t echo = start_echo(there[0], back[1], 1, {there[1], back[0]});
  close(there[0]);
  close(back[1]);
  measure("pipe-round-trip", "round trip by pipes, two processes", 500, [&](int count) {
    char byte = 'x';
    while (count-- > 0) require(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
  });
  close(there[1]);
  close(back[0]);
  waitpid(echo, nullptr, 0);
}

void measure_sockets() {
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  pid_t echo = start_echo(ends[1], ends[1], 1, {ends[0], -1});
  close(ends[1]);
  measure("socket-round-trip", "round trip by a socket pair, two processes", 500, [&](int count) {
    char byte = 'x';
    while (count-- > 0) require(write(ends[0], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1, "socketpair");
  });
  close(ends[0]);
  waitpid(echo, nullptr, 0);
}

void measure_eventfd() {
  constexpr uint64_t one = 1;
  constexpr uint64_t last = 2;
  int there = eventfd(0, 0);
  int back = eventfd(0, 0);
  require(there >= 0 && back >= 0, "eventfd");
  pid_t echo = fork();
  require(echo >= 0, "fork");
  if (echo == 0) {
    uint64_t value = 0;
    while (read(there, &value, sizeof value) == sizeof value && value == one) {
      if (write(back, &value, sizeof value) != sizeof value) _exit(1);
    }
    _exit(0);
  }
  measure("eventfd-round-trip", "round trip by eventfd, two processes", 500, [&](int count) {
    uint64_t value = one;
    while (count-- > 0) {
      require(
          write(there, &one, sizeof one) == sizeof one && read(back, &value, sizeof value) == sizeof value,
          "eventfd");
    }
  });
  require(write(there, &last, sizeof last) == sizeof last, "eventfd");
  waitpid(echo, nullptr, 0);
  close(there);
  close(back);
}

// Two sides hand a turn to each other.
struct Turn {
  // futex(2); musl ships no linux/futex.h.
  static constexpr int futex_wait = 0;
  static constexpr int futex_wake = 1;
  static constexpr int futex_private = 128;

  static constexpr int ours = 0;
  static constexpr int theirs = 1;
  static constexpr int over = 2;

  int value = ours;
  int scope = futex_private;

  void wait_for(int wanted) {
    for (;;) {
      int seen = __atomic_load_n(&value, __ATOMIC_ACQUIRE);
      if (seen == wanted) return;
      syscall(SYS_futex, &value, futex_wait | scope, seen, nullptr, nullptr, 0);
    }
  }

  void give(int next) {
    __atomic_store_n(&value, next, __ATOMIC_RELEASE);
    syscall(SYS_futex, &value, futex_wake | scope, 1, nullptr, nullptr, 0);
  }

  void answer() {
    for (;;) {
      int seen = __atomic_load_n(&value, __ATOMIC_ACQUIRE);
      if (seen == over) return;
      if (seen == theirs) {
        give(ours);
      } else {
        syscall(SYS_futex, &value, futex_wait | scope, seen, nullptr, nullptr, 0);
      }
    }
  }
};

void measure_turns(const char* name, const char* title, Turn& turn) {
  measure(name, title, 500, [&turn](int count) {
    while (count-- > 0) {
      turn.give(Turn::theirs);
      turn.wait_for(Turn::ours);
    }
  });
  turn.give(Turn::over);
}

void measure_futex() {
  static Turn turn;
  pthread_t thread;
  auto answer = [](void*) -> void* {
    turn.answer();
    return nullptr;
  };
  require(pthread_create(&thread, nullptr, answer, nullptr) == 0, "pthread_create");
  measure_turns("futex-round-trip", "round trip by futex, two threads", turn);
  pthread_join(thread, nullptr);

  void* memory = mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  auto* shared = static_cast<Turn*>(memory);
  shared->value = Turn::ours;
  shared->scope = 0;
  pid_t other = fork();
  require(other >= 0, "fork");
  if (other == 0) {
    shared->answer();
    _exit(0);
  }
  measure_turns("futex-process-round-trip", "round trip by futex, two processes", *shared);
  waitpid(other, nullptr, 0);
  munmap(memory, page_size);
}

void measure_yield() {
  static bool stop;
  pthread_t thread;
  auto yield = [](void*) -> void* {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) sched_yield();
    return nullptr;
  };
  require(pthread_create(&thread, nullptr, yield, nullptr) == 0, "pthread_create");
  measure("yield-between", "sched_yield to another thread and back", 1000, [](int count) {
    while (count-- > 0) sched_yield();
  });
  __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
  pthread_join(thread, nullptr);
}

}  // namespace

void measure_round_trips() {
  measure_pipe();
  measure_sockets();
  measure_eventfd();
  measure_futex();
  measure_yield();
}

}  // namespace benchmark
