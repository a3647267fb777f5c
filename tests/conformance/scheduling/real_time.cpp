// Fixed priorities: who runs first on one CPU, and priority inheritance.
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>

#include <atomic>

#include "support/conformance.h"

namespace {
using namespace conformance;

bool become_real_time(int priority, int policy = SCHED_FIFO) {
  const sched_param parameters = {priority};
  return sched_setscheduler(0, policy, &parameters) == 0;
}

void pin_to_first_cpu() {
  cpu_set_t all, one;
  ASSERT_OK(sched_getaffinity(0, sizeof all, &all));
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &all)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_OK(sched_setaffinity(0, sizeof one, &one));
}

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

TEST(FixedPriority, WokenHigherPriorityRunsAtOnce) {
  EXPECT_CHILD_OK([] {
    pin_to_first_cpu();
    ASSERT_TRUE(become_real_time(30));
    sem_t go;
    sem_init(&go, 0, 0);
    std::atomic<int> sequence{0}, high_ran{0};
    auto high = [&] {
      become_real_time(20);
      sem_wait(&go);
      high_ran = ++sequence;
    };
    const pthread_t thread = start(&high);
    sleep_milliseconds(20);  // It waits now.
    ASSERT_TRUE(become_real_time(10));
    sem_post(&go);
    const int here = ++sequence;
    EXPECT_EQ(high_ran, 1) << "the wake-up preempts the lower priority before it goes on";
    EXPECT_EQ(here, 2);
    pthread_join(thread, nullptr);
  });
}

TEST(FixedPriority, EqualPriorityDoesNotPreempt) {
  EXPECT_CHILD_OK([] {
    pin_to_first_cpu();
    ASSERT_TRUE(become_real_time(10));
    sem_t go;
    sem_init(&go, 0, 0);
    std::atomic<int> sequence{0}, other_ran{0};
    auto other = [&] {
      sem_wait(&go);
      other_ran = ++sequence;
    };
    const pthread_t thread = start(&other);
    sleep_milliseconds(20);
    sem_post(&go);
    EXPECT_EQ(other_ran, 0);
    sched_yield();
    EXPECT_EQ(other_ran, 1) << "yielding lets the equal one run";
    pthread_join(thread, nullptr);
  });
}

TEST(FixedPriority, FairTasksWaitForRealTimeOnes) {
  EXPECT_CHILD_OK([] {
    pin_to_first_cpu();
    ASSERT_TRUE(become_real_time(10));
    const Mapping shared(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* progress = shared.as<std::atomic<long>>();
    const pid_t fair = fork_child([&] {
      const sched_param parameters = {0};
      sched_setscheduler(0, SCHED_OTHER, &parameters);
      for (;;) ++*progress;
    });
    sleep_milliseconds(20);
    const long before = *progress;
    const long end = now_milliseconds() + 30;
    while (now_milliseconds() < end) {
    }
    EXPECT_EQ(*progress, before) << "not a step while a real-time task is busy";
    EXPECT_GT(before, 0);
    kill(fair, SIGKILL);
    wait_for(fair);
  });
}

TEST(FixedPriority, InheritanceLetsTheOwnerFinish) {
  // low owns the lock, high wants it, middle would keep low from running for ever.
  EXPECT_CHILD_OK([] {
    pin_to_first_cpu();
    ASSERT_TRUE(become_real_time(30));
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_t mutex;
    ASSERT_EQ(pthread_mutex_init(&mutex, &attributes), 0);
    sem_t locked, release, middle_go;
    sem_init(&locked, 0, 0);
    sem_init(&release, 0, 0);
    sem_init(&middle_go, 0, 0);
    std::atomic<bool> high_done{false}, starved{false};
    auto low = [&] {
      become_real_time(1);
      pthread_mutex_lock(&mutex);
      sem_post(&locked);
      sem_wait(&release);
      for (volatile int i = 0; i < 100000; i = i + 1) {
      }
      pthread_mutex_unlock(&mutex);
    };
    auto middle = [&] {
      become_real_time(5);
      sem_wait(&middle_go);
      const long end = now_milliseconds() + 3000;
      while (!high_done && now_milliseconds() < end) {
      }
      starved = !high_done;
    };
    auto high = [&] {
      become_real_time(10);
      pthread_mutex_lock(&mutex);
      high_done = true;
      pthread_mutex_unlock(&mutex);
    };
    const pthread_t low_thread = start(&low);
    sem_wait(&locked);
    const pthread_t middle_thread = start(&middle), high_thread = start(&high);
    sleep_milliseconds(20);  // middle waits for its start, high for the lock.
    sem_post(&middle_go);
    sem_post(&release);
    pthread_join(high_thread, nullptr);
    pthread_join(middle_thread, nullptr);
    pthread_join(low_thread, nullptr);
    EXPECT_FALSE(starved);
  });
}

TEST(FixedPriority, RoundRobinSharesTheCpu) {
  EXPECT_CHILD_OK([] {
    pin_to_first_cpu();
    ASSERT_TRUE(become_real_time(10, SCHED_RR));
    const Mapping shared(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* progress = shared.as<std::atomic<long>>();
    const pid_t other = fork_child([&] {
      for (;;) ++*progress;
    });
    // A slice is 100 ms; without a yield the other one has to get its turn all the same.
    const long end = now_milliseconds() + 8000;
    while (*progress == 0 && now_milliseconds() < end) {
    }
    EXPECT_GT(*progress, 0);
    kill(other, SIGKILL);
    wait_for(other);
  });
}

}  // namespace
