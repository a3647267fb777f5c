// What the kernel keeps in memory for each thing that programs ask it for: free memory before and after
// making many of them. Pages of the program itself are touched before, or belong to what is measured.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

int64_t free_bytes() {
  struct sysinfo info;
  require(sysinfo(&info) == 0, "sysinfo");
  return static_cast<int64_t>(info.freeram) * info.mem_unit;
}

// `make(i)` makes the i-th of `count`, `drop(i)` ends it. Once only: what the kernel keeps for the next time
// would make a second round look cheaper.
template <typename Make, typename Drop>
void measure_size(const char* name, const char* title, int count, Make make, Drop drop) {
  usleep(200000);  // what the kernel still has to free of the last ones
  int64_t before = free_bytes();
  for (int i = 0; i < count; i++) make(i);
  int64_t used = (before - free_bytes()) / count;
  for (int i = 0; i < count; i++) drop(i);
  printf("size %s %lld %s\n", name, static_cast<long long>(used), title);
  fflush(stdout);
}

constexpr int many = 1000;
int descriptors[many][2];

void measure_descriptors() {
  auto drop_both = [](int i) {
    close(descriptors[i][0]);
    close(descriptors[i][1]);
  };
  char name[32];
  for (int i = 0; i < many; i++) {
    snprintf(name, sizeof name, "file%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  measure_size(
      "open-file", "open file", many,
      [](int i) {
        char path[32];
        snprintf(path, sizeof path, "file%d", i);
        descriptors[i][0] = open(path, O_RDONLY);
        require(descriptors[i][0] >= 0, "open");
      },
      [](int i) { close(descriptors[i][0]); });
  for (int i = 0; i < many; i++) {
    snprintf(name, sizeof name, "file%d", i);
    unlink(name);
  }
  measure_size(
      "empty-file", "empty file of a tmpfs", many,
      [](int i) {
        char path[32];
        snprintf(path, sizeof path, "file%d", i);
        close(open(path, O_CREAT | O_WRONLY, 0644));
      },
      [](int i) {
        char path[32];
        snprintf(path, sizeof path, "file%d", i);
        unlink(path);
      });
  measure_size(
      "pipe", "pipe, both ends", many, [](int i) { require(pipe(descriptors[i]) == 0, "pipe"); }, drop_both);
  measure_size(
      "socket-pair", "pair of Unix sockets", many,
      [](int i) { require(socketpair(AF_UNIX, SOCK_STREAM, 0, descriptors[i]) == 0, "socketpair"); },
      drop_both);
}

constexpr int processes = 200;
pid_t children[processes];
pthread_t threads[processes];
sem_t hold;
constexpr size_t stack_size = 16384;
char* stacks;

void measure_tasks() {
  measure_size(
      "process", "process made by fork, with its pages", processes,
      [](int i) {
        int ready[2];
        char byte;
        require(pipe(ready) == 0, "pipe");
        children[i] = fork();
        require(children[i] >= 0, "fork");
        if (children[i] == 0) {
          close(ready[0]);
          close(ready[1]);
          for (;;) pause();
        }
        close(ready[1]);
        (void)!read(ready[0], &byte, 1);  // ends when the child has run so far
        close(ready[0]);
      },
      [](int i) {
        kill(children[i], SIGKILL);
        waitpid(children[i], nullptr, 0);
      });
  void* memory = mmap(nullptr, processes * stack_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  require(memory != MAP_FAILED, "mmap of stacks");
  stacks = static_cast<char*>(memory);
  require(sem_init(&hold, 0, 0) == 0, "sem_init");
  measure_size(
      "thread", "thread", processes,
      [](int i) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, stacks + static_cast<size_t>(i) * stack_size, stack_size);
        auto wait = [](void*) -> void* {
          sem_wait(&hold);
          return nullptr;
        };
        require(pthread_create(&threads[i], &attributes, wait, nullptr) == 0, "pthread_create");
        sched_yield();
      },
      [](int i) {
        if (i == 0)
          for (int each = 0; each < processes; each++) sem_post(&hold);
        pthread_join(threads[i], nullptr);
      });
}

}  // namespace

void measure_sizes() {
  struct rlimit limit = {.rlim_cur = 4 * many, .rlim_max = 4 * many};
  require(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
  measure_descriptors();
  measure_tasks();
}

}  // namespace benchmark
