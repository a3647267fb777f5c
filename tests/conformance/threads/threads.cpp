// Threads: TLS, clear_child_tid, exit, rseq, membarrier.
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>

#include <atomic>

#include "support/conformance.h"
#include "support/helper.h"

namespace {
using namespace conformance;

thread_local int local_value = 7;

template <typename Body>
pthread_t start(Body* body) {
  pthread_t thread;
  EXPECT_EQ(pthread_create(
                &thread, nullptr,
                [](void* argument) -> void* {
                  (*static_cast<Body*>(argument))();
                  return nullptr;
                },
                body),
            0);
  return thread;
}

TEST(ThreadLife, SameProcessOtherThreadId) {
  pid_t process = 0, thread_id = 0;
  auto body = [&] {
    process = getpid();
    thread_id = static_cast<pid_t>(sys(SYS_gettid));
  };
  pthread_join(start(&body), nullptr);
  EXPECT_EQ(process, getpid());
  EXPECT_NE(thread_id, getpid());
}

TEST(ThreadLife, LocalStorageIsPerThread) {
  local_value = 8;
  int seen = 0;
  auto body = [&] {
    seen = local_value;
    local_value = 9;
  };
  pthread_join(start(&body), nullptr);
  EXPECT_EQ(seen, 7);
  EXPECT_EQ(local_value, 8);
}

TEST(ThreadLife, LocalStorageSurvivesContextSwitches) {
  std::atomic<bool> failed{false};
  auto body = [&] {
    static std::atomic<int> next{100};
    const int mine = next++;
    local_value = mine;
    for (int i = 0; i < 200; i++) {
      sched_yield();
      if (local_value != mine) failed = true;
    }
  };
  pthread_t threads[8];
  for (pthread_t& thread : threads) thread = start(&body);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  EXPECT_FALSE(failed);
}

TEST(ThreadLife, FloatingPointSurvivesContextSwitches) {
  std::atomic<bool> failed{false};
  auto body = [&] {
    static std::atomic<int> next{1};
    const double mine = next++ * 0.5;
    double sum = 0;
    for (int i = 0; i < 200; i++) {
      sum += mine;
      sched_yield();
    }
    if (sum != mine * 200) failed = true;
  };
  pthread_t threads[8];
  for (pthread_t& thread : threads) thread = start(&body);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  EXPECT_FALSE(failed);
}

TEST(ThreadLife, MutexAndConditionPingPong) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  int turn = 0, rounds = 0;
  const auto play = [&](int mine) {
    for (int i = 0; i < 200; i++) {
      pthread_mutex_lock(&mutex);
      while (turn != mine) pthread_cond_wait(&condition, &mutex);
      turn = 1 - mine;
      rounds++;
      pthread_cond_signal(&condition);
      pthread_mutex_unlock(&mutex);
    }
  };
  auto other = [&] { play(1); };
  const pthread_t thread = start(&other);
  play(0);
  pthread_join(thread, nullptr);
  EXPECT_EQ(rounds, 400);
}

TEST(ThreadLife, ManyThreadsComeAndGo) {
  std::atomic<int> ran{0};
  auto body = [&] { ran++; };
  for (int round = 0; round < 10; round++) {
    pthread_t threads[16];
    for (pthread_t& thread : threads) thread = start(&body);
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  }
  EXPECT_EQ(ran, 160);
}

TEST(ThreadLife, ExitOfTheMainThreadLeavesTheOthers) {
  const pid_t child = fork_child([] {
    auto* body = new auto([] {
      sleep_milliseconds(30);
      _exit(6);
    });
    start(body);
    sys(SYS_exit, 0);
  });
  EXPECT_EXITED(wait_for(child), 6);
}

TEST(ThreadLife, LastThreadGivesTheStatus) {
  const pid_t child = fork_child([] { sys(SYS_exit, 21); });
  EXPECT_EXITED(wait_for(child), 21);
}

TEST(ThreadLife, ExitGroupEndsAllThreads) {
  const pid_t child = fork_child([] {
    auto* sleeper = new auto([] { pause(); });
    auto* ender = new auto([] { sys(SYS_exit_group, 22); });
    for (int i = 0; i < 4; i++) start(sleeper);
    start(ender);
    pause();
  });
  EXPECT_EXITED(wait_for(child), 22);
}

TEST(ThreadLife, BusyThreadsAreEndedToo) {
  const pid_t child = fork_child([] {
    auto* spinner = new auto([] {
      volatile bool forever = true;
      while (forever) {
      }
    });
    start(spinner);
    start(spinner);
    sleep_milliseconds(10);
    _exit(23);
  });
  EXPECT_EXITED(wait_for(child), 23);
}

TEST(ThreadLife, ForkCopiesOnlyTheCaller) {
  auto body = [] { sleep_milliseconds(100); };
  const pthread_t thread = start(&body);
  EXPECT_CHILD_OK(
      [] { EXPECT_EQ(slurp("/proc/self/status").find("Threads:\t1\n") != std::string::npos, true); });
  pthread_join(thread, nullptr);
}

TEST(ThreadLife, SetTidAddressClearsAndWakes) {
  EXPECT_EQ(sys(SYS_set_tid_address, 0), sys(SYS_gettid));
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  volatile int* word = memory.as<int>();
  // The word is cleared when other processes or threads still use the memory: a vfork-like clone shows it.
  static char stack[65536] __attribute__((aligned(16)));
  const auto entry = [](void*) { return 0; };
  *word = 77;
  const pid_t child = clone(entry, stack + sizeof stack, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr,
                            nullptr, nullptr, const_cast<int*>(word));
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_EQ(*word, 0);
}

TEST(ThreadLife, ProcListsTasks) {
  Rendezvous ready, done;
  pid_t id = 0;
  auto body = [&] {
    id = static_cast<pid_t>(sys(SYS_gettid));
    ready.notify();
    done.wait();
  };
  const pthread_t thread = start(&body);
  ASSERT_TRUE(ready.wait());
  EXPECT_OK(access(("/proc/self/task/" + std::to_string(id) + "/stat").c_str(), R_OK));
  done.notify();
  pthread_join(thread, nullptr);
}

TEST(Semaphore, SharedBetweenProcesses) {
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  sem_t* semaphore = memory.as<sem_t>();
  ASSERT_OK(sem_init(semaphore, 1, 0));
  const pid_t child = fork_child([&] {
    for (int i = 0; i < 50; i++) EXPECT_OK(sem_post(semaphore));
  });
  for (int i = 0; i < 50; i++) {
    while (sem_wait(semaphore) != 0) ASSERT_EQ(errno, EINTR);
  }
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Membarrier, CommandsAreListedAndPrivateNeedsRegistration) {
  const long supported = sys(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  ASSERT_GE(supported, 0);
  EXPECT_TRUE(supported & MEMBARRIER_CMD_GLOBAL);
  EXPECT_TRUE(supported & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  EXPECT_CHILD_OK([] {
    EXPECT_ERRNO(sys(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
    EXPECT_OK(sys(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    EXPECT_OK(sys(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  });
  EXPECT_ERRNO(sys(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0x80, 0), EINVAL);
}

// rseq(2): a structure of 32 bytes whose fields the kernel keeps up to date.
struct alignas(32) RestartableSequence {
  uint32_t cpu_start = 0, cpu = 0xffffffff;
  uint64_t section = 0;
  uint32_t flags = 0, node = 0, memory_map = 0, padding = 0;
};

// Runs without the C library's own registration.
HELPER(check_rseq) {
  static RestartableSequence area;
  constexpr uint32_t signature = 0x53053053;
  EXPECT_OK(sys(SYS_rseq, &area, 32, 0, signature));
  sched_yield();
  EXPECT_LT(area.cpu, 4096u);
  EXPECT_EQ(area.cpu, area.cpu_start);
  EXPECT_ERRNO(sys(SYS_rseq, &area, 32, 0, signature), EBUSY);
  EXPECT_ERRNO(sys(SYS_rseq, &area, 32, 0, signature + 1), EPERM);
  EXPECT_ERRNO(sys(SYS_rseq, &area, 32, 2, signature), EINVAL);
  EXPECT_ERRNO(sys(SYS_rseq, &area, 32, 1, signature + 1), EPERM);
  EXPECT_OK(sys(SYS_rseq, &area, 32, 1, signature));
  EXPECT_ERRNO(sys(SYS_rseq, reinterpret_cast<char*>(&area) + 4, 32, 0, signature), EINVAL) << "alignment";
  EXPECT_EQ(area.cpu, 0xffffffffu) << "set back when unregistered";
  return testing::Test::HasFailure() ? child_failed : 0;
}

TEST(Rseq, RegisteredStructureKnowsTheCpu) {
  EXPECT_EXITED(run_child([] { execute_helper("check_rseq", {}, {"GLIBC_TUNABLES=glibc.pthread.rseq=0"}); }),
                0);
}

// A thread that another one sends from CPU to CPU, wherever it stands: on its way out of a system call, too.
HELPER(check_rseq_moved) {
  static RestartableSequence area;
  static std::atomic<int> wanted{-1}, checks{0}, wrong{0};
  static std::atomic<bool> ends{false};
  static std::atomic<pid_t> mover_of{0};
  auto body = [] {
    EXPECT_OK(sys(SYS_rseq, &area, 32, 0, 0x53053053));
    mover_of = static_cast<pid_t>(sys(SYS_gettid));
    while (!ends) {
      const int now = wanted;
      sys(SYS_getppid);
      const int cpu = static_cast<int>(std::atomic_ref<uint32_t>(area.cpu).load());
      if (now < 0 || now != wanted) continue;
      checks++;
      if (cpu != now) wrong++;
    }
    sys(SYS_rseq, &area, 32, 1, 0x53053053);
  };
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return child_failed;
  int cpus[2], found = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
    if (CPU_ISSET(cpu, &allowed)) cpus[found++] = cpu;
  if (found < 2) return 0;
  const pthread_t thread = start(&body);
  while (!mover_of) sched_yield();
  for (int round = 0; round < 200 && !wrong; round++) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpus[round % 2], &one);
    wanted = -1;
    if (sched_setaffinity(mover_of, sizeof one, &one) != 0) break;
    const int before = checks;
    wanted = cpus[round % 2];
    while (checks < before + 3) sched_yield();
  }
  ends = true;
  pthread_join(thread, nullptr);
  EXPECT_EQ(wrong.load(), 0) << "the area named another CPU than the one the thread was sent to";
  EXPECT_GE(checks.load(), 600);
  return testing::Test::HasFailure() ? child_failed : 0;
}

TEST(Rseq, KnowsTheCpuAfterEachMove) {
  EXPECT_EXITED(
      run_child([] { execute_helper("check_rseq_moved", {}, {"GLIBC_TUNABLES=glibc.pthread.rseq=0"}); }), 0);
}

}  // namespace
