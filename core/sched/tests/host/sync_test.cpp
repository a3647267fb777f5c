// The locks and queues of core/sync, with real threads of the host.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/sched/scheduler.h"
#include "core/sync/completion.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "core/sync/rw_mutex.h"
#include "core/sync/seq_lock.h"
#include "core/sync/wait_queue.h"
#include "core/time/clock.h"

using namespace core;

namespace {

template <typename Function>
void run_threads(unsigned count, Function function) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) threads.emplace_back([&, i] { function(i); });
  for (auto& thread : threads) thread.join();
}

Urgency effective_of(Thread& thread) {
  auto& pi = ThreadBase::of(thread).pi;
  SpinGuard<PreemptOff> guard(pi.lock);
  return pi.effective;
}

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

struct Counter {
  Mutex mutex{"Counter"};
  long value GUARDED_BY(mutex) = 0;
};

TEST(Mutex, ExcludesThreads) {
  Counter counter;
  run_threads(6, [&](unsigned) {
    for (int i = 0; i < 3000; ++i) {
      MutexGuard guard(counter.mutex);
      long seen = counter.value;
      if (i % 500 == 0) arch::relax();
      counter.value = seen + 1;
    }
  });
  MutexGuard guard(counter.mutex);
  EXPECT_EQ(counter.value, 18000);
}

TEST(Mutex, TryFailsWhileHeld) {
  Mutex mutex;
  MutexGuard guard(mutex);
  std::thread([&] {
    MutexTryGuard attempt(mutex);
    EXPECT_FALSE(attempt);
  }).join();
}

// Three threads in a chain: an urgent one waits for B, which waits for A; A is lent the urgency and loses it
// again.
TEST(Mutex, InheritsAlongChain) {
  Mutex first{"first"}, second{"second"};
  Completion a_has, b_has, release_a;
  struct Context {
    Mutex &first, &second;
    Completion &a_has, &b_has, &release_a;
  } context{first, second, a_has, b_has, release_a};
  auto a = *Thread::create(
      "a",
      [](void* p) {
        auto& c = *static_cast<Context*>(p);
        MutexGuard guard(c.first);
        c.a_has.complete();
        c.release_a.wait();
      },
      &context);
  auto b = *Thread::create(
      "b",
      [](void* p) {
        auto& c = *static_cast<Context*>(p);
        MutexGuard guard(c.second);
        c.b_has.complete();
        MutexGuard inner(c.first);
      },
      &context);
  auto urgent = *Thread::create(
      "urgent",
      [](void* p) {
        auto& c = *static_cast<Context*>(p);
        MutexGuard guard(c.second);
      },
      &context, SchedulingParameters::fifo(70));
  a->start();
  a_has.wait();
  b->start();
  b_has.wait();
  EXPECT_EQ(effective_of(*a), Urgency::fair(0));
  urgent->start();
  EXPECT_TRUE(eventually([&] { return effective_of(*a) == Urgency::fixed(70); }));
  EXPECT_EQ(effective_of(*b), Urgency::fixed(70));
  // A waiter that becomes more urgent passes that on; one that calms down takes it back.
  EXPECT_TRUE(urgent->set_parameters(SchedulingParameters::fifo(80)));
  EXPECT_EQ(effective_of(*a), Urgency::fixed(80));
  EXPECT_TRUE(urgent->set_parameters(SchedulingParameters::fifo(10)));
  EXPECT_EQ(effective_of(*a), Urgency::fixed(10));
  release_a.complete();
  EXPECT_TRUE(eventually([&] { return urgent->state() == RunState::dead; }));
  EXPECT_TRUE(eventually([&] { return a->state() == RunState::dead && b->state() == RunState::dead; }));
  EXPECT_EQ(effective_of(*a), Urgency::fair(0));
  EXPECT_EQ(effective_of(*b), Urgency::fair(0));
}

TEST(PiLock, TimesOutAndFindsDeadlock) {
  PiLock lock, other;
  lock.acquire();
  std::thread([&] {
    auto result = lock.acquire(WaitMode::interruptible, Deadline::after(5 * ns_per_ms));
    EXPECT_EQ(result.error(), base::Errno::etimedout);
    EXPECT_FALSE(lock.try_acquire());
  }).join();
  EXPECT_EQ(lock.first_waiter(), nullptr);
  std::atomic<bool> waits{false};
  std::thread thread([&] {
    other.acquire();
    waits = true;
    EXPECT_TRUE(lock.acquire(WaitMode::uninterruptible, Deadline::never()));
    lock.release();
    other.release();
  });
  EXPECT_TRUE(eventually([&] { return waits && lock.first_waiter(); }));
  auto result =
      other.acquire(WaitMode::interruptible, Deadline::after(ns_per_second), PiLock::CheckDeadlock::yes);
  EXPECT_EQ(result.error(), base::Errno::edeadlk);
  lock.release();
  thread.join();
}

TEST(PiLock, HandsOver) {
  PiLock lock;
  lock.set_owner_for(Thread::current());
  std::atomic<bool> owned{false};
  std::thread thread([&] {
    PiWaiter waiter;
    waiter.thread = &Thread::current();
    ASSERT_TRUE(lock.start_waiting(waiter));
    EXPECT_TRUE(lock.finish_waiting(waiter, WaitMode::interruptible, Deadline::never()));
    owned = lock.is_owned_by_current();
    EXPECT_TRUE(lock.hand_over(nullptr));
  });
  EXPECT_TRUE(eventually([&] { return lock.first_waiter() != nullptr; }));
  EXPECT_FALSE(lock.hand_over(nullptr));
  {
    RcuReadGuard reading;
    EXPECT_TRUE(lock.hand_over(lock.first_waiter()));
  }
  thread.join();
  EXPECT_TRUE(owned);
}

TEST(RwMutex, ReadersTogetherWritersAlone) {
  RwMutex mutex;
  long a = 0, b = 0;
  std::atomic<int> inside{0}, most{0};
  run_threads(8, [&](unsigned index) {
    for (int i = 0; i < 1500; ++i) {
      if (index < 2) {
        WriteGuard guard(mutex);
        EXPECT_EQ(inside.load(), 0);
        ++a;
        ++b;
      } else {
        ReadGuard guard(mutex);
        int now = ++inside;
        if (now > most) most = now;
        EXPECT_EQ(a, b);
        --inside;
      }
    }
  });
  EXPECT_EQ(a, 3000);
}

struct Box {
  Mutex mutex{"Box"};
  WaitQueue filled, emptied;
  int items GUARDED_BY(mutex) = 0;
};

TEST(WaitQueue, NoWakeIsLost) {
  Box box;
  constexpr int per_thread = 4000;
  std::atomic<int> taken{0};
  run_threads(6, [&](unsigned index) {
    for (int i = 0; i < per_thread; ++i) {
      MutexGuard guard(box.mutex);
      if (index % 2) {
        EXPECT_TRUE(box.emptied.wait(guard, WaitMode::interruptible,
                                     [&]() NO_THREAD_SAFETY_ANALYSIS { return box.items < 3; }));
        ++box.items;
        box.filled.wake_one();
      } else {
        EXPECT_TRUE(box.filled.wait(guard, WaitMode::interruptible,
                                    [&]() NO_THREAD_SAFETY_ANALYSIS { return box.items > 0; }));
        --box.items;
        ++taken;
        box.emptied.wake_one();
      }
    }
  });
  EXPECT_EQ(taken, 3 * per_thread);
}

TEST(WaitQueue, TimesOutAndIsInterrupted) {
  WaitQueue queue;
  auto start = monotonic_ns();
  EXPECT_EQ(queue.wait(
                     WaitMode::uninterruptible, [] { return false; }, Deadline::after(20 * ns_per_ms))
                .error(),
            base::Errno::etimedout);
  EXPECT_GE(monotonic_ns() - start, 20 * ns_per_ms);
  std::atomic<Thread*> sleeper{nullptr};
  std::thread thread([&] {
    Thread::current().set_interrupted(InterruptLevel::none);
    sleeper = &Thread::current();
    EXPECT_EQ(queue.wait(WaitMode::interruptible, [] { return false; }).error(), base::Errno::eintr);
    // A killable wait ignores a mere signal.
    EXPECT_EQ(queue.wait(
                       WaitMode::killable, [] { return false; }, Deadline::after(5 * ns_per_ms))
                  .error(),
              base::Errno::etimedout);
  });
  EXPECT_TRUE(eventually([&] { return sleeper.load() && queue.has_waiters(); }));
  sleeper.load()->set_interrupted(InterruptLevel::signal);
  thread.join();
}

class Recorder final : public WaitEntry {
 public:
  bool woken(std::uint64_t key) override {
    keys.push_back(key);
    return true;
  }
  std::vector<std::uint64_t> keys;
};

TEST(WaitQueue, CallbacksAndExclusiveOnes) {
  WaitQueue queue;
  Recorder shared, one, two;
  queue.add(shared);
  queue.add_exclusive(one);
  queue.add_exclusive(two);
  EXPECT_EQ(queue.wake_one(7), 1u);
  EXPECT_EQ(queue.wake_all(9), 2u);
  EXPECT_EQ(shared.keys, (std::vector<std::uint64_t>{7, 9}));
  EXPECT_EQ(one.keys, (std::vector<std::uint64_t>{7, 9}));
  EXPECT_EQ(two.keys, (std::vector<std::uint64_t>{9}));
  queue.remove(shared);
  queue.remove(one);
  queue.remove(two);
  EXPECT_EQ(queue.wake_all(), 0u);
  // More entries than one turn of the waker takes.
  std::vector<Recorder> many(100);
  for (auto& entry : many) queue.add(entry);
  queue.wake_all(1);
  for (auto& entry : many) {
    EXPECT_EQ(entry.keys.size(), 1u);
    queue.remove(entry);
  }
}

TEST(Completion, MayLiveOnTheWaitersStack) {
  for (int i = 0; i < 300; ++i) {
    Completion done;
    std::thread thread([&] { done.complete(); });
    done.wait();
    thread.join();
  }
}

TEST(SeqLock, ReadersSeeWholeValues) {
  SeqLock lock;
  std::atomic<long> a{0}, b{0};
  std::atomic<bool> stop{false};
  run_threads(4, [&](unsigned index) {
    if (index == 0) {
      for (long i = 1; i < 20000; ++i) {
        SeqWriteGuard guard(lock);
        a.store(i, std::memory_order_relaxed);
        b.store(-i, std::memory_order_relaxed);
      }
      stop = true;
      return;
    }
    while (!stop) {
      std::uint32_t sequence;
      long x, y;
      do {
        sequence = lock.read_begin();
        x = a.load(std::memory_order_relaxed);
        y = b.load(std::memory_order_relaxed);
      } while (lock.read_retry(sequence));
      EXPECT_EQ(x, -y);
    }
  });
}

struct Version {
  RcuHead rcu;
  std::atomic<int> alive{1};
  ~Version() { alive = 0; }
};

TEST(Rcu, ReadersNeverSeeDisposedObjects) {
  RcuPointer<Version> pointer(new Version);
  std::atomic<bool> stop{false};
  run_threads(4, [&](unsigned index) {
    if (index == 0) {
      for (int i = 0; i < 2000; ++i) rcu_delete(pointer.exchange(new Version));
      stop = true;
      return;
    }
    while (!stop) {
      RcuReadGuard guard;
      RcuReadGuard nested;
      EXPECT_EQ(pointer.load()->alive, 1);
    }
  });
  rcu_barrier();
  delete pointer.load_locked();
}

}  // namespace
