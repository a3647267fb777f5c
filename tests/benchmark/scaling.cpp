// How operations scale over CPUs: the same work done by one worker, by two, by four at once, each on a CPU of
// its own, for a fixed time by the clock. Counting instructions does not show this.
//
//   rate NAME WORKERS OPERATIONS_PER_SECOND TITLE   all workers together
//
// The first row only computes: what it loses with more workers is the machine's doing, not the kernel's, and
// the others are read beside it.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

constexpr int most_workers = 4;
int64_t measured_ns = 400'000'000;

struct alignas(128) Worker {
  int number;
  uint64_t operations;
};
// Shared by the processes of a row, too.
struct Common {
  Worker workers[most_workers];
  alignas(128) int ready;
  alignas(128) int go;
  alignas(128) int stop;
};
Common* common;

int64_t now_ns() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

bool is_over() { return __atomic_load_n(&common->stop, __ATOMIC_RELAXED) != 0; }

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  require(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

// What a row's worker does: prepares, then calls turn() until it is over.
using Body = void (*)(Worker& worker);

void start_together(Worker& worker) {
  pin(worker.number);
  __atomic_fetch_add(&common->ready, 1, __ATOMIC_ACQ_REL);
  while (!__atomic_load_n(&common->go, __ATOMIC_ACQUIRE)) {
  }
}

Body body;

void* thread_main(void* argument) {
  auto& worker = *static_cast<Worker*>(argument);
  body(worker);
  return nullptr;
}

enum class Kind { threads, processes };

uint64_t run_once(Kind kind, Body work, int count) {
  pthread_t threads[most_workers];
  pid_t children[most_workers];
  body = work;
  common->ready = common->go = common->stop = 0;
  for (int i = 0; i < count; i++) {
    common->workers[i] = {.number = i, .operations = 0};
    if (kind == Kind::threads) {
      require(pthread_create(&threads[i], nullptr, thread_main, &common->workers[i]) == 0, "pthread_create");
    } else {
      children[i] = fork();
      require(children[i] >= 0, "fork");
      if (children[i] == 0) {
        work(common->workers[i]);
        _exit(0);
      }
    }
  }
  while (__atomic_load_n(&common->ready, __ATOMIC_ACQUIRE) < count) usleep(1000);
  int64_t start = now_ns();
  __atomic_store_n(&common->go, 1, __ATOMIC_RELEASE);
  struct timespec time = {.tv_sec = 0, .tv_nsec = measured_ns};
  nanosleep(&time, nullptr);
  __atomic_store_n(&common->stop, 1, __ATOMIC_RELAXED);
  int64_t passed = now_ns() - start;
  uint64_t operations = 0;
  for (int i = 0; i < count; i++) {
    if (kind == Kind::threads)
      pthread_join(threads[i], nullptr);
    else
      waitpid(children[i], nullptr, 0);
    operations += common->workers[i].operations;
  }
  return operations * UINT64_C(1000000000) / static_cast<uint64_t>(passed);
}

void measure_rates(const char* name, const char* title, Kind kind, Body work) {
  for (int count = 1; count <= most_workers; count *= 2) {
    printf("rate %s %d %llu %s\n", name, count, static_cast<unsigned long long>(run_once(kind, work, count)),
           title);
    fflush(stdout);
  }
}

void compute(Worker& worker) {
  start_together(worker);
  volatile unsigned value = 1;
  while (!is_over()) {
    for (int i = 0; i < 1000; i++) value = value * 1664525 + 1013904223;
    worker.operations++;
  }
}

void fault(Worker& worker) {
  constexpr size_t length = 64 * page_size;
  start_together(worker);
  while (!is_over()) {
    void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    madvise(memory, length, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < length; at += page_size) static_cast<volatile char*>(memory)[at] = 1;
    munmap(memory, length);
    worker.operations += length / page_size;
  }
}

void open_and_close(const char* path, Worker& worker) {
  int made = open(path, O_RDONLY | O_CREAT, 0644);
  require(made >= 0, "create");
  close(made);
  start_together(worker);
  while (!is_over()) {
    int descriptor = open(path, O_RDONLY);
    require(descriptor >= 0, "open");
    close(descriptor);
    worker.operations++;
  }
}

void open_own(Worker& worker) {
  char path[32];
  snprintf(path, sizeof path, "worker%d", worker.number);
  mkdir(path, 0755);
  snprintf(path, sizeof path, "worker%d/file", worker.number);
  open_and_close(path, worker);
}
void open_shared(Worker& worker) { open_and_close("shared", worker); }

void read_shared(Worker& worker) {
  static const char data[page_size] = {};
  int file = open("shared", O_RDWR | O_CREAT, 0644);
  require(file >= 0 && pwrite(file, data, sizeof data, 0) == sizeof data, "create");
  char copy[page_size];
  start_together(worker);
  while (!is_over()) {
    require(pread(file, copy, sizeof copy, 0) == sizeof copy, "pread");
    worker.operations++;
  }
  close(file);
}

// Each worker writes to a pipe and reads from it: no switch, but everything else.
void own_pipe(Worker& worker) {
  int ends[2];
  char data[64] = {};
  require(pipe(ends) == 0, "pipe");
  start_together(worker);
  while (!is_over()) {
    require(
        write(ends[1], data, sizeof data) == sizeof data && read(ends[0], data, sizeof data) == sizeof data,
        "pipe");
    worker.operations++;
  }
  close(ends[0]);
  close(ends[1]);
}

// Each worker and a partner on the same CPU hand a byte to and fro.
void pipe_pair(Worker& worker) {
  int there[2];
  int back[2];
  char byte = 0;
  require(pipe(there) == 0 && pipe(back) == 0, "pipe");
  pid_t partner = fork();
  require(partner >= 0, "fork");
  if (partner == 0) {
    pin(worker.number);
    close(there[1]);
    close(back[0]);
    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {
    }
    _exit(0);
  }
  close(there[0]);
  close(back[1]);
  start_together(worker);
  while (!is_over()) {
    require(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
    worker.operations++;
  }
  close(there[1]);
  close(back[0]);
  waitpid(partner, nullptr, 0);
}

// The same by a futex that the two share.
void futex_pair(Worker& worker) {
  constexpr int wait = 0;
  constexpr int wake = 1;
  constexpr int ours = 0;
  constexpr int theirs = 1;
  constexpr int over = 2;
  void* memory = mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  auto* turn = static_cast<int*>(memory);
  auto give = [turn](int next) {
    __atomic_store_n(turn, next, __ATOMIC_RELEASE);
    syscall(SYS_futex, turn, wake, 1, nullptr, nullptr, 0);
  };
  auto take = [turn](int mine) {
    for (;;) {
      int seen = __atomic_load_n(turn, __ATOMIC_ACQUIRE);
      if (seen == mine || seen == over) return seen;
      syscall(SYS_futex, turn, wait, seen, nullptr, nullptr, 0);
    }
  };
  pid_t partner = fork();
  require(partner >= 0, "fork");
  if (partner == 0) {
    pin(worker.number);
    while (take(theirs) == theirs) give(ours);
    _exit(0);
  }
  start_together(worker);
  while (!is_over()) {
    give(theirs);
    take(ours);
    worker.operations++;
  }
  give(over);
  waitpid(partner, nullptr, 0);
  munmap(memory, page_size);
}

void fork_and_wait(Worker& worker) {
  start_together(worker);
  while (!is_over()) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    require(child > 0 && waitpid(child, nullptr, 0) == child, "fork");
    worker.operations++;
  }
}

}  // namespace

void measure_scaling() {
  void* memory = mmap(nullptr, sizeof(Common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  common = static_cast<Common*>(memory);
  measure_rates("compute", "the program alone", Kind::processes, compute);
  measure_rates("fault-threads", "page fault, one address space", Kind::threads, fault);
  measure_rates("fault-processes", "page fault, an address space each", Kind::processes, fault);
  measure_rates("open-own", "open + close, a folder each", Kind::processes, open_own);
  measure_rates("open-shared", "open + close, one file", Kind::processes, open_shared);
  measure_rates("read-shared", "read 4 KiB, one file", Kind::processes, read_shared);
  measure_rates("pipe-own", "64 bytes into a pipe and out", Kind::processes, own_pipe);
  measure_rates("pipe-pair", "round trip by pipes, a pair each", Kind::processes, pipe_pair);
  measure_rates("futex-pair", "round trip by futex, a pair each", Kind::processes, futex_pair);
  measure_rates("fork", "fork + exit + wait", Kind::processes, fork_and_wait);
}

void measure_counted_scaling() {
  measured_ns = 100'000'000;
  measure_scaling();
}

}  // namespace benchmark
