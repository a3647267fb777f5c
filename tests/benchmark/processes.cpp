// Processes, programs and threads: made, ended and waited for.
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmark.h"

extern char** environ;

namespace benchmark {

namespace {

constexpr const char* program = "/init";
char argument_name[] = "init";
char argument_exit[] = "exit";
char* const arguments[] = {argument_name, argument_exit, nullptr};

void fork_exit_wait(int count) {
  while (count-- > 0) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    require(child > 0 && waitpid(child, nullptr, 0) == child, "fork");
  }
}

// This process with as much memory of its own as a larger program has.
void measure_large_fork() {
  constexpr size_t length = 16 << 20;
  void* heap = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(heap != MAP_FAILED, "mmap");
  madvise(heap, length, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < length; i += page_size) static_cast<volatile char*>(heap)[i] = 1;
  measure("fork-16-mib", "fork + exit + wait with 16 MiB of heap", 10, fork_exit_wait);
  munmap(heap, length);
}

void measure_programs() {
  measure("vfork-exec", "vfork + exec + exit + wait", 20, [](int count) {
    while (count-- > 0) {
      pid_t child = vfork();
      if (child == 0) {
        execve(program, arguments, environ);
        _exit(127);
      }
      int status = -1;
      require(child > 0 && waitpid(child, &status, 0) == child && status == 0, "vfork and exec");
    }
  });
  measure("posix-spawn", "posix_spawn + exit + wait", 20, [](int count) {
    while (count-- > 0) {
      pid_t child;
      int status = -1;
      require(posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0, "posix_spawn");
      require(waitpid(child, &status, 0) == child && status == 0, "the program started by posix_spawn");
    }
  });
}

}  // namespace

void measure_processes() {
  measure("fork-exit-wait", "fork + exit + wait", 60, fork_exit_wait);
  measure_large_fork();
  measure_programs();
  measure("thread-create-join", "thread create + join", 100, [](int count) {
    while (count-- > 0) {
      pthread_t thread;
      auto nothing = [](void* argument) -> void* { return argument; };
      require(pthread_create(&thread, nullptr, nothing, nullptr) == 0, "pthread_create");
      pthread_join(thread, nullptr);
    }
  });
}

}  // namespace benchmark
