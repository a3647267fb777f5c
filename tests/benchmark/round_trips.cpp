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

// The other side: sends back whatever comes, in messages of `length` bytes, until the last one.
struct Echo {
  static constexpr uint64_t one = 1;
  static constexpr uint64_t last = 2;

  enum class Kind { process, thread };

  Echo(Kind kind_, int in_, int out_, size_t length_) : kind(kind_), in(in_), out(out_), length(length_) {
    if (kind == Kind::thread) {
      auto run = [](void* echo) -> void* {
        static_cast<Echo*>(echo)->answer();
        return nullptr;
      };
      require(pthread_create(&thread, nullptr, run, this) == 0, "pthread_create");
      return;
    }
    process = fork();
    require(process >= 0, "fork");
    if (process == 0) {
      answer();
      _exit(0);
    }
  }
  void answer() const {
    uint64_t message = 0;
    do {
      ssize_t size = static_cast<ssize_t>(length);
      if (read(in, &message, length) != size || write(out, &message, length) != size) _exit(1);
    } while (message != last);
  }
  void wait() const {
    if (kind == Kind::thread)
      pthread_join(thread, nullptr);
    else
      waitpid(process, nullptr, 0);
  }

  Kind kind;
  int in, out;
  size_t length;
  pid_t process = -1;
  pthread_t thread = {};
};

// `there` to `echo_in` and `echo_out` to `back` are ways.
void measure_ways(const char* name, const char* title, Echo::Kind kind, int there, int echo_in, int echo_out,
                  int back, size_t length) {
  Echo echo(kind, echo_in, echo_out, length);
  auto turn = [&](uint64_t message) {
    ssize_t size = static_cast<ssize_t>(length);
    require(write(there, &message, length) == size && read(back, &message, length) == size, name);
  };
  measure(name, title, 500, [&](int count) {
    while (count-- > 0) turn(Echo::one);
  });
  turn(Echo::last);
  echo.wait();
}

void measure_pipe(const char* name, const char* title, Echo::Kind kind) {
  int there[2];
  int back[2];
  require(pipe(there) == 0 && pipe(back) == 0, "pipe");
  measure_ways(name, title, kind, there[1], there[0], back[1], back[0], 1);
  for (int descriptor : there) close(descriptor);
  for (int descriptor : back) close(descriptor);
}

void measure_sockets(const char* name, const char* title, Echo::Kind kind) {
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  measure_ways(name, title, kind, ends[0], ends[1], ends[1], ends[0], 1);
  for (int descriptor : ends) close(descriptor);
}

void measure_eventfd(const char* name, const char* title, Echo::Kind kind) {
  int there = eventfd(0, 0);
  int back = eventfd(0, 0);
  require(there >= 0 && back >= 0, "eventfd");
  measure_ways(name, title, kind, there, there, back, back, sizeof(uint64_t));
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
  constexpr Echo::Kind process = Echo::Kind::process, thread = Echo::Kind::thread;
  measure_pipe("pipe-round-trip", "round trip by pipes, two processes", process);
  measure_pipe("pipe-thread-round-trip", "round trip by pipes, two threads", thread);
  measure_sockets("socket-round-trip", "round trip by a socket pair, two processes", process);
  measure_sockets("socket-thread-round-trip", "round trip by a socket pair, two threads", thread);
  measure_eventfd("eventfd-round-trip", "round trip by eventfd, two processes", process);
  measure_eventfd("eventfd-thread-round-trip", "round trip by eventfd, two threads", thread);
  measure_futex();
  measure_yield();
}

}  // namespace benchmark
