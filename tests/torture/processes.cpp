// Jobs about processes: fork trees, exec, kill and stop, signal queues, threads.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "torture.h"

namespace torture {
namespace {

// Each node checks that it sees its ancestors' memory and that nobody sees its own.
void grow(Random& random, std::string& memory, int depth) {
  const int children = (int)random.below(3) + (depth == 0);
  std::vector<pid_t> running;
  const uint64_t before = checksum(memory.data(), memory.size());
  for (int i = 0; i < children && depth < 3; i++) {
    const uint64_t seed = random.next();
    const pid_t child = try_fork();
    if (child < 0) break;
    if (child == 0) {
      CHECK(checksum(memory.data(), memory.size()) == before);
      Random own(seed);
      for (int change = 0; change < 8; change++) memory[own.below(memory.size())] ^= 0x5a;
      grow(own, memory, depth + 1);
      _exit(depth + 10);
    }
    running.push_back(child);
  }
  for (const pid_t child : running) expect_exit(child, depth + 10);
  CHECK(checksum(memory.data(), memory.size()) == before);
}

JOB(fork_tree) {
  std::string memory = pattern(random.next(), 4096 * (1 + random.below(64)));
  grow(random, memory, 0);
}

JOB(exec) {
  const uint64_t seed = random.next();
  const size_t size = 1 + random.below(100000);
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = random.one_in(2) ? try_fork() : vfork();
  if (child == 0) {
    dup2(ends[1], 1);
    char seed_text[32], size_text[32];
    snprintf(seed_text, sizeof seed_text, "%llu", (unsigned long long)seed);
    snprintf(size_text, sizeof size_text, "%zu", size);
    execl("/proc/self/exe", "torture", "--pattern", seed_text, size_text, nullptr);
    _exit(99);
  }
  close(ends[1]);
  if (child > 0) {
    uint64_t sum = 0;
    read_all(ends[0], &sum, sizeof sum);
    expect_exit(child, 0);
    const std::string expected = pattern(seed, size);
    CHECK(sum == checksum(expected.data(), expected.size()));
  }
  close(ends[0]);
}

JOB(kill_and_stop) {
  const pid_t child = try_fork();
  if (child < 0) return;
  if (child == 0) {
    for (volatile uint64_t work = 0;; work = work + 1) {
      if (work % 100000 == 0) rest(1);
    }
  }
  int status;
  for (int i = (int)random.below(4); i > 0; i--) {
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CHECK(kill(child, SIGCONT) == 0);
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
  }
  const int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGRTMIN + 5};
  const int signal = signals[random.below(4)];
  CHECK(kill(child, signal) == 0);
  status = wait_for(child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

std::atomic<int> real_time_seen, alarms_seen;

JOB(signal_queue) {
  // Counted exactly: real-time signals queue; ordinary ones interrupt in between.
  int ready[2];
  CHECK(pipe(ready) == 0);
  const int wanted = 1 + (int)random.below(60);
  const pid_t child = try_fork();
  if (child < 0) {
    close(ready[0]);
    close(ready[1]);
    return;
  }
  if (child == 0) {
    struct sigaction action = {};
    real_time_seen = alarms_seen = 0;
    action.sa_handler = [](int) { real_time_seen++; };
    sigaction(SIGRTMIN + 1, &action, nullptr);
    action.sa_handler = [](int) { alarms_seen++; };
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    const itimerval often = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &often, nullptr);
    write_all(ready[1], "r", 1);
    const long end = milliseconds() + 60000;
    while (real_time_seen < wanted && milliseconds() < end) rest(1);
    CHECK(real_time_seen == wanted);
    _exit(0);
  }
  char byte;
  read_all(ready[0], &byte, 1);
  for (int i = 0; i < wanted; i++) {
    while (sigqueue(child, SIGRTMIN + 1, sigval{.sival_int = i}) != 0) {
      CHECK(errno == EAGAIN);
      rest(1);
    }
  }
  expect_exit(child, 0);
  close(ready[0]);
  close(ready[1]);
}

struct Shared {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  uint64_t counter = 0;
  int rounds = 0, waiting = 0, generation = 0, members = 0;
};

void barrier(Shared& shared) {
  pthread_mutex_lock(&shared.mutex);
  const int generation = shared.generation;
  if (++shared.waiting == shared.members) {
    shared.waiting = 0;
    shared.generation++;
    pthread_cond_broadcast(&shared.condition);
  } else {
    while (generation == shared.generation) pthread_cond_wait(&shared.condition, &shared.mutex);
  }
  pthread_mutex_unlock(&shared.mutex);
}

JOB(threads) {
  Shared shared;
  shared.members = 2 + (int)random.below(6);
  shared.rounds = 1 + (int)random.below(20);
  std::vector<pthread_t> threads;
  const auto body = [](void* argument) -> void* {
    auto& state = *static_cast<Shared*>(argument);
    for (int round = 0; round < state.rounds; round++) {
      for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&state.mutex);
        state.counter++;
        pthread_mutex_unlock(&state.mutex);
      }
      barrier(state);
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128 * 1024);
  // All or none: a barrier with a missing member would wait for ever. The members run in a child so that
  // a failure part of the way costs only that.
  const pid_t child = try_fork();
  if (child < 0) return;
  if (child == 0) {
    for (int i = 0; i < shared.members; i++) {
      pthread_t thread;
      if (pthread_create(&thread, &attributes, body, &shared) != 0) _exit(0);
      threads.push_back(thread);
    }
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    CHECK(shared.counter == (uint64_t)shared.members * (uint64_t)shared.rounds * 50);
    _exit(0);
  }
  expect_exit(child, 0);
}

JOB(thread_exit) {
  // A process whose threads are in every state when it ends.
  const int code = (int)random.below(200);
  const uint64_t how = random.below(3);
  const pid_t child = try_fork();
  if (child < 0) return;
  if (child == 0) {
    for (int i = 0; i < 4; i++) {
      pthread_t thread;
      const auto sleeper = [](void*) -> void* {
        for (;;) rest(1);
      };
      const auto spinner = [](void*) -> void* {
        for (volatile int forever = 0;; forever = forever + 1) {
        }
      };
      if (pthread_create(&thread, nullptr, i % 2 ? +sleeper : +spinner, nullptr) != 0) break;
    }
    if (how == 0) _exit(code);
    if (how == 1) {
      char code_text[] = "1";
      dup2(open("/dev/null", O_WRONLY), 1);
      execl("/proc/self/exe", "torture", "--pattern", code_text, code_text, nullptr);
    }
    for (;;) pause();
  }
  rest((long)random.below(5));
  if (how == 2) kill(child, SIGKILL);
  const int status = wait_for(child);
  if (how == 0) CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
  if (how == 2) CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

JOB(shared_futex) {
  // Processes that take turns through a process-shared mutex.
  struct Area {
    pthread_mutex_t mutex;
    uint64_t values[64];
  };
  auto* area = static_cast<Area*>(
      mmap(nullptr, sizeof(Area), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (area == MAP_FAILED) return;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&area->mutex, &attributes);
  std::vector<pid_t> children;
  const int members = 2 + (int)random.below(3);
  for (int i = 0; i < members; i++) {
    const pid_t child = try_fork();
    if (child < 0) break;
    if (child == 0) {
      for (int round = 0; round < 100; round++) {
        pthread_mutex_lock(&area->mutex);
        for (const uint64_t value : area->values) CHECK(value == area->values[0]);
        for (uint64_t& value : area->values) value++;
        pthread_mutex_unlock(&area->mutex);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) expect_exit(child, 0);
  for (const uint64_t value : area->values) CHECK(value == 100 * children.size());
  munmap(area, sizeof(Area));
}

}  // namespace
}  // namespace torture
