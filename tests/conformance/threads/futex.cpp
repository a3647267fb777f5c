// futex(2): wait, wake, bitsets, requeue, priority inheritance, robust lists.
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <functional>

#include "support/conformance.h"

namespace {
using namespace conformance;

using Word = std::atomic<uint32_t>;

long futex(Word* word, int operation, uint32_t value, const timespec* time_out = nullptr,
           Word* second = nullptr, uint32_t third = 0) {
  return sys(SYS_futex, word, operation, value, time_out, second, third);
}

class Thread {
 public:
  explicit Thread(std::function<void()> body) : body_(std::move(body)) {
    EXPECT_EQ(pthread_create(
                  &thread_, nullptr,
                  [](void* self) -> void* {
                    static_cast<Thread*>(self)->id_ = static_cast<pid_t>(sys(SYS_gettid));
                    static_cast<Thread*>(self)->body_();
                    return nullptr;
                  },
                  this),
              0);
  }
  ~Thread() { join(); }
  void join() {
    if (!joined_) pthread_join(thread_, nullptr);
    joined_ = true;
  }
  // Until the kernel says that the thread sleeps.
  void wait_until_asleep() const {
    while (id_ == 0) sleep_milliseconds(1);
    EXPECT_TRUE(wait_for_state(id_, 'S'));
  }
  pid_t id() const { return id_; }

 private:
  std::function<void()> body_;
  pthread_t thread_{};
  std::atomic<pid_t> id_{0};
  bool joined_ = false;
};

timespec in_milliseconds(clockid_t clock, long milliseconds) {
  timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

TEST(Futex, WaitChecksTheValue) {
  Word word{5};
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 6), EAGAIN);
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 6), EAGAIN);
}

TEST(Futex, WakeWithoutWaiters) {
  Word word{0};
  EXPECT_EQ(futex(&word, FUTEX_WAKE, 1), 0);
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX), 0);
}

TEST(Futex, WakeWakes) {
  Word word{0};
  Thread thread([&] { EXPECT_EQ(futex(&word, FUTEX_WAIT_PRIVATE, 0), 0); });
  thread.wait_until_asleep();
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1), 1);
}

TEST(Futex, WakeCountIsRespected) {
  Word word{0};
  std::atomic<int> awake{0};
  const auto body = [&] {
    futex(&word, FUTEX_WAIT_PRIVATE, 0);
    awake++;
  };
  Thread first(body), second(body), third(body);
  first.wait_until_asleep();
  second.wait_until_asleep();
  third.wait_until_asleep();
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 2), 2);
  for (int i = 0; i < 1000 && awake < 2; i++) sleep_milliseconds(1);
  EXPECT_EQ(awake, 2);
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX), 1);
}

TEST(Futex, RelativeTimeOut) {
  Word word{0};
  const timespec little = {0, 30000000};
  const long start = now_milliseconds();
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &little), ETIMEDOUT);
  EXPECT_GE(now_milliseconds() - start, 29);
}

TEST(Futex, AbsoluteTimeOutOnBothClocks) {
  Word word{0};
  timespec until = in_milliseconds(CLOCK_MONOTONIC, 20);
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, nullptr, ~0u), ETIMEDOUT);
  until = in_milliseconds(CLOCK_REALTIME, 20);
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &until, nullptr, ~0u),
               ETIMEDOUT);
  const timespec past = {1, 0};
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &past, nullptr, ~0u), ETIMEDOUT);
}

TEST(Futex, Errors) {
  Word word{0};
  const timespec bad = {0, 1000000000}, negative = {-1, 0};
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad), EINVAL);
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 0, &negative), EINVAL);
  EXPECT_ERRNO(futex((Word*)((char*)&word + 1), FUTEX_WAIT, 0), EINVAL) << "not aligned";
  EXPECT_ERRNO(futex((Word*)low_address(), FUTEX_WAIT, 0), EFAULT);
  EXPECT_ERRNO(futex((Word*)kernel_address(), FUTEX_WAKE, 1), EFAULT);
  EXPECT_ERRNO(futex(&word, 99, 0), ENOSYS);
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 1, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 0, (timespec*)low_address()), EFAULT);
}

TEST(Futex, BitsetsSelectWaiters) {
  Word word{0};
  std::atomic<int> woken{0};
  Thread one([&] {
    futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 1);
    woken |= 1;
  });
  Thread two([&] {
    futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 2);
    woken |= 2;
  });
  one.wait_until_asleep();
  two.wait_until_asleep();
  EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, 4), 0);
  EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, 2), 1);
  two.join();
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX), 1) << "an ordinary wake matches all";
}

TEST(Futex, RequeueMovesWaiters) {
  Word first{0}, second{0};
  std::atomic<int> awake{0};
  const auto body = [&] {
    futex(&first, FUTEX_WAIT_PRIVATE, 0);
    awake++;
  };
  Thread a(body), b(body), c(body);
  a.wait_until_asleep();
  b.wait_until_asleep();
  c.wait_until_asleep();
  EXPECT_ERRNO(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (timespec*)(long)INT_MAX, &second, 9), EAGAIN);
  EXPECT_EQ(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (timespec*)(long)INT_MAX, &second, 0), 3);
  for (int i = 0; i < 1000 && awake < 1; i++) sleep_milliseconds(1);
  EXPECT_EQ(awake, 1);
  EXPECT_EQ(futex(&first, FUTEX_WAKE_PRIVATE, INT_MAX), 0);
  EXPECT_EQ(futex(&second, FUTEX_WAKE_PRIVATE, INT_MAX), 2);
}

TEST(Futex, WakeOp) {
  Word first{0}, second{10};
  Thread a([&] { futex(&first, FUTEX_WAIT_PRIVATE, 0); });
  Thread b([&] { futex(&second, FUTEX_WAIT_PRIVATE, 10); });
  a.wait_until_asleep();
  b.wait_until_asleep();
  // second += 5; wake first; if the old value was 10, wake second too.
  const uint32_t operation = FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10);
  EXPECT_EQ(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (timespec*)1l, &second, operation), 2);
  EXPECT_EQ(second, 15u);
}

TEST(Futex, SharedBetweenProcesses) {
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  Word* word = memory.as<Word>();
  const pid_t child = fork_child([&] {
    while (*word == 0) {
      if (futex(word, FUTEX_WAIT, 0) != 0) EXPECT_EQ(errno, EAGAIN);
    }
  });
  ASSERT_TRUE(wait_for_state(child, 'S'));
  *word = 1;
  EXPECT_EQ(futex(word, FUTEX_WAKE, 1), 1);
  EXPECT_EXITED(wait_for(child), 0);
}

class FutexFile : public TempDirTest {};

TEST_F(FutexFile, SharedThroughDifferentMappingsOfAFile) {
  write_file("a", std::string(page_size(), '\0'));
  const ScopedFd fd = open(path("a"), O_RDWR);
  const Mapping one(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  const Mapping two(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  Thread thread([&] { EXPECT_EQ(futex(one.as<Word>(), FUTEX_WAIT, 0), 0); });
  thread.wait_until_asleep();
  EXPECT_EQ(futex(two.as<Word>(), FUTEX_WAKE_PRIVATE, 1), 0) << "private keys are addresses";
  EXPECT_EQ(futex(two.as<Word>(), FUTEX_WAKE, 1), 1);
}

TEST(Futex, SignalInterruptsWithTimeOutButRestartsWithout) {
  EXPECT_CHILD_OK([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t self = getpid();
    const pid_t sender = fork_child([self] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR1);
    });
    Word word{0};
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0), EINTR);
    wait_for(sender);
  });
}

TEST(FutexPi, UncontendedLockAndUnlock) {
  Word word{0};
  ASSERT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
  EXPECT_EQ(word & FUTEX_TID_MASK, (uint32_t)sys(SYS_gettid));
  EXPECT_ERRNO(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), EDEADLK);
  EXPECT_ERRNO(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0), EDEADLK);
  ASSERT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
  EXPECT_EQ(word, 0u);
  EXPECT_ERRNO(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), EPERM);
}

TEST(FutexPi, HandsOverToTheWaiter) {
  Word word{0};
  ASSERT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
  std::atomic<bool> owned{false};
  Thread thread([&] {
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
    owned = (word & FUTEX_TID_MASK) == (uint32_t)sys(SYS_gettid);
    EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
  });
  thread.wait_until_asleep();
  EXPECT_TRUE(word & FUTEX_WAITERS);
  EXPECT_FALSE(owned);
  EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
  thread.join();
  EXPECT_TRUE(owned);
}

TEST(FutexPi, TimeOutIsAbsoluteRealTime) {
  Word word{0};
  ASSERT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
  Thread thread([&] {
    const timespec until = in_milliseconds(CLOCK_REALTIME, 20);
    EXPECT_ERRNO(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &until), ETIMEDOUT);
  });
  thread.join();
  EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
}

TEST(FutexPi, ExcludesWhileWaitersGiveUp) {
  Word word{0};
  int counter = 0;
  std::atomic<int> taken{0};
  const auto body = [&] {
    const auto me = (uint32_t)sys(SYS_gettid);
    for (int i = 0; i < 300; i++) {
      uint32_t expected = 0;
      if (!word.compare_exchange_strong(expected, me)) {
        const timespec until = in_milliseconds(CLOCK_REALTIME, i % 3);
        if (futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &until) != 0) {
          ASSERT_EQ(errno, ETIMEDOUT);
          continue;
        }
      }
      ASSERT_EQ(word & FUTEX_TID_MASK, me);
      const int before = counter;
      if (i % 16 == 0) sched_yield();
      counter = before + 1;
      taken++;
      expected = me;
      if (!word.compare_exchange_strong(expected, 0)) ASSERT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    }
  };
  {
    Thread a(body), b(body), c(body), d(body);
  }
  EXPECT_EQ(counter, taken);
  EXPECT_GT(counter, 300);
  EXPECT_EQ(word & FUTEX_TID_MASK, 0u);
}

TEST(FutexPi, OwnersEndPassesTheLockOn) {
  Word word{0};
  Word go{0};
  Thread owner([&] {
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
    go = 1;
    while (go == 1) sleep_milliseconds(1);
  });
  while (go == 0) sleep_milliseconds(1);
  Thread heir([&] {
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
    EXPECT_EQ(word & FUTEX_TID_MASK, (uint32_t)sys(SYS_gettid));
    EXPECT_TRUE(word & FUTEX_OWNER_DIED);
    EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
  });
  heir.wait_until_asleep();
  go = 2;
  owner.join();
  heir.join();
  EXPECT_EQ(word, 0u);
}

TEST(FutexPi, UnknownOwnerIsESRCH) {
  Word word{0x3ffffff0};
  EXPECT_ERRNO(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), ESRCH);
}

TEST(FutexPi, PthreadMutexesWithProtocolAndRobustness) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_t mutex;
  ASSERT_EQ(pthread_mutex_init(&mutex, &attributes), 0);
  int counter = 0;
  const auto body = [&] {
    for (int i = 0; i < 500; i++) {
      pthread_mutex_lock(&mutex);
      counter++;
      pthread_mutex_unlock(&mutex);
    }
  };
  {
    Thread a(body), b(body), c(body);
  }
  EXPECT_EQ(counter, 1500);
}

TEST(Robust, DeadOwnersLockIsMarkedAndWaiterWoken) {
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  auto* mutex = memory.as<pthread_mutex_t>();
  ASSERT_EQ(pthread_mutex_init(mutex, &attributes), 0);
  Rendezvous locked;
  const pid_t child = fork_child([&] {
    pthread_mutex_lock(mutex);
    locked.notify();
    sleep_milliseconds(30);
    _exit(0);
  });
  ASSERT_TRUE(locked.wait());
  EXPECT_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
  wait_for(child);
}

TEST(Robust, ListRegistration) {
  void* head = nullptr;
  size_t length = 0;
  ASSERT_OK(sys(SYS_get_robust_list, 0, &head, &length));
  EXPECT_EQ(length, 24u);
  EXPECT_NE(head, nullptr);
  EXPECT_ERRNO(sys(SYS_set_robust_list, head, 23), EINVAL);
  EXPECT_OK(sys(SYS_set_robust_list, head, 24));
  EXPECT_ERRNO(sys(SYS_get_robust_list, 0x3fffffff, &head, &length), ESRCH);
  EXPECT_ERRNO(sys(SYS_get_robust_list, 0, low_address(), &length), EFAULT);
}

TEST(FutexWaitv, WakesOnAnyOfThem) {
  Word words[3] = {{1}, {2}, {3}};
  struct Waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
  } waiters[3];
  for (int i = 0; i < 3; i++) waiters[i] = {(uint64_t)i + 1, (uint64_t)&words[i], 2 /* 32 bits */, 0};
  Thread thread([&] { EXPECT_EQ(sys(SYS_futex_waitv, waiters, 3, 0, 0, 0), 1); });
  thread.wait_until_asleep();
  EXPECT_EQ(futex(&words[1], FUTEX_WAKE, 1), 1);
  thread.join();
  waiters[2].value = 9;
  EXPECT_ERRNO(sys(SYS_futex_waitv, waiters, 3, 0, 0, 0), EAGAIN);
  EXPECT_ERRNO(sys(SYS_futex_waitv, waiters, 0, 0, 0, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_futex_waitv, waiters, 3, 1, 0, 0), EINVAL);
}

}  // namespace
