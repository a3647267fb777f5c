// Locks, queues and RCU under stress, on all CPUs, with preemption everywhere.
#include <arch/cpu.h>

#include <atomic>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/sched/work_queue.h"
#include "core/sync/completion.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "core/sync/rw_mutex.h"
#include "core/sync/seq_lock.h"
#include "core/sync/wait_queue.h"
#include "core/time/clock.h"
#include "core/time/timer.h"
#include "test_threads.h"

using namespace core;
using core::test::expect, core::test::expect_equal, core::test::expect_ok, core::test::expect_error;

namespace {
// Real-time and fair threads mixed, so that inheritance has something to do.
SchedulingParameters mixed(unsigned index) {
  return index % 3 == 0 ? SchedulingParameters::fifo(1 + index)
                        : SchedulingParameters::fair(static_cast<int>(index % 5));
}
}  // namespace

KERNEL_TEST(sync, mutex_excludes) {
  Mutex mutex{"test"};
  unsigned long value = 0;
  auto body = [&](unsigned index) {
    for (int i = 0; i < 2000; ++i) {
      MutexGuard guard(mutex);
      unsigned long seen = value;
      if (i % 64 == 0) yield();
      value = seen + 1;
    }
  };
  TestThreads threads;
  for (unsigned i = 0; i < 9; ++i) threads.start(body, mixed(i));
  threads.join();
  expect_equal(value, 18000ul);
}

KERNEL_TEST(sync, mutex_chains) {
  // Each thread takes two neighbouring locks of a ring, lower number first.
  constexpr unsigned count = 6;
  Mutex locks[count];
  unsigned long values[count] = {};
  auto body = [&](unsigned index) {
    for (int i = 0; i < 1000; ++i) {
      unsigned a = index % count, b = (index + 1) % count;
      if (a > b) std::swap(a, b);
      MutexGuard first(locks[a]);
      MutexGuard second(locks[b], LockNesting::child);
      ++values[a];
      ++values[b];
    }
  };
  TestThreads threads;
  for (unsigned i = 0; i < 12; ++i) threads.start(body, mixed(i));
  threads.join();
  unsigned long total = 0;
  for (auto value : values) total += value;
  expect_equal(total, 24000ul);
}

KERNEL_TEST(sync, rw_mutex) {
  RwMutex mutex{"test"};
  unsigned long a = 0, b = 0;
  auto body = [&](unsigned index) {
    for (int i = 0; i < 1500; ++i) {
      if (index % 4 == 0) {
        WriteGuard guard(mutex);
        ++a;
        if (i % 100 == 0) yield();
        ++b;
      } else {
        ReadGuard guard(mutex);
        expect(a == b, "a reader saw a half-done write");
      }
    }
  };
  TestThreads threads;
  for (unsigned i = 0; i < 8; ++i) threads.start(body, mixed(i));
  threads.join();
  expect_equal(a, 3000ul);
}

KERNEL_TEST(sync, wait_queue_loses_nothing) {
  Mutex mutex{"test"};
  WaitQueue filled, emptied;
  int items = 0;
  std::atomic<int> taken{0};
  constexpr int rounds = 3000;
  auto body = [&](unsigned index) {
    for (int i = 0; i < rounds; ++i) {
      MutexGuard guard(mutex);
      if (index % 2) {
        expect_ok(emptied.wait(guard, WaitMode::uninterruptible, [&] { return items < 2; }));
        ++items;
        filled.wake_one();
      } else {
        expect_ok(filled.wait(guard, WaitMode::uninterruptible, [&] { return items > 0; }));
        --items;
        taken.fetch_add(1);
        emptied.wake_one();
      }
    }
  };
  TestThreads threads;
  for (unsigned i = 0; i < 8; ++i) threads.start(body, mixed(i / 2));
  threads.join();
  expect_equal(taken.load(), 4 * rounds);
}

KERNEL_TEST(sync, wait_times_out) {
  WaitQueue queue;
  auto before = monotonic_ns();
  expect_error(queue.wait(
                   WaitMode::uninterruptible, [] { return false; }, Deadline::after(3 * ns_per_ms)),
               base::Errno::etimedout);
  expect(monotonic_ns() - before >= 3 * ns_per_ms, "too early");
}

KERNEL_TEST(sync, completions_on_stacks) {
  struct Job {
    Work work{[](Work& work) { base::container_of(&work, &Job::work)->done->complete(); }};
    Completion* done;
  };
  auto body = [&](unsigned) {
    for (int i = 0; i < 200; ++i) {
      Completion done;
      Job job;
      job.done = &done;
      WorkQueue::system().post(job.work);
      done.wait();
      WorkQueue::system().flush(job.work);
    }
  };
  TestThreads threads;
  threads.start_many(4, body);
}

KERNEL_TEST(sync, seq_lock) {
  SeqLock lock;
  std::atomic<unsigned long> a{0}, b{0};
  std::atomic<bool> stop{false};
  auto body = [&](unsigned index) {
    if (index == 0) {
      for (unsigned long i = 1; i < 20000; ++i) {
        SeqWriteGuard guard(lock);
        a.store(i, std::memory_order_relaxed);
        b.store(~i, std::memory_order_relaxed);
      }
      stop = true;
      return;
    }
    while (!stop) {
      unsigned long x, y;
      std::uint32_t sequence;
      do {
        sequence = lock.read_begin();
        x = a.load(std::memory_order_relaxed);
        y = b.load(std::memory_order_relaxed);
      } while (lock.read_retry(sequence));
      expect(x == ~y || (x == 0 && y == 0), "torn read");
    }
  };
  TestThreads threads;
  threads.start_many(4, body);
}

namespace {
struct Version {
  RcuHead rcu;
  std::atomic<std::uint32_t> magic{0x600d600d};
  ~Version() { magic.store(0xdeaddead); }
};
}  // namespace

KERNEL_TEST(rcu, readers_are_waited_for) {
  RcuPointer<Version> pointer(new (std::nothrow) Version);
  std::atomic<bool> stop{false};
  auto reader = [&](unsigned) {
    while (!stop) {
      RcuReadGuard guard;
      Version* version = pointer.load();
      // Long enough to be preempted inside now and then.
      for (int i = 0; i < 200; ++i) {
        if (!expect(version->magic.load() == 0x600d600d, "disposed of under a reader")) {
          stop = true;
          break;
        }
        arch::relax();
      }
    }
  };
  {
    TestThreads threads;
    for (unsigned i = 0; i < 2 * arch::cpu_count() && i < 16; ++i) threads.start(reader);
    for (int i = 0; i < 1000 && !stop; ++i) {
      auto* fresh = new (std::nothrow) Version;
      if (!expect(fresh != nullptr)) break;
      rcu_delete(pointer.exchange(fresh));
      if (i % 100 == 0) rcu_synchronize();
      if (i % 250 == 0) rcu_synchronize_expedited();
      if (i % 10 == 0) sleep_for(100'000);
    }
    stop = true;
  }
  rcu_delete(pointer.exchange(nullptr));
  rcu_barrier();
  auto statistics = rcu_statistics();
  expect_equal(statistics.retired, statistics.disposed);
}

KERNEL_TEST(rcu, an_idle_machine_answers_quickly) {
  sleep_for(50 * ns_per_ms);
  auto before = monotonic_ns();
  for (int i = 0; i < 10; ++i) rcu_synchronize();
  auto took = (monotonic_ns() - before) / 10;
  core::log(LogLevel::info, "rcu: a grace period on the idle machine takes {} us", took / 1000);
  expect(took < 200 * ns_per_ms);
}

namespace {
struct Alarm {
  explicit Alarm(TimerContext context) : timer(fired, context) {}
  static void fired(Timer& timer) {
    auto& self = *base::container_of(&timer, &Alarm::timer);
    self.fired_at = monotonic_ns();
    self.count.fetch_add(1);
    self.done.complete();
  }
  Timer timer;
  Completion done;
  std::atomic<std::uint64_t> fired_at{0};
  std::atomic<unsigned> count{0};
};
}  // namespace

KERNEL_TEST(timer, fires_in_both_contexts) {
  for (TimerContext context : {TimerContext::thread, TimerContext::interrupt}) {
    Alarm alarm(context);
    for (int i = 0; i < 20; ++i) {
      auto deadline = Deadline::after(500'000);
      alarm.timer.start(deadline);
      alarm.done.wait();
      expect(alarm.fired_at.load() >= deadline.ns(), "early");
    }
    alarm.timer.cancel();
    expect_equal(alarm.count.load(), 20u);
  }
}

KERNEL_TEST(timer, cancels_on_other_cpus) {
  Alarm alarms[2] = {Alarm(TimerContext::thread), Alarm(TimerContext::interrupt)};
  for (int i = 0; i < 200; ++i) {
    for (auto& alarm : alarms) {
      unsigned cpu = static_cast<unsigned>(i) % arch::cpu_count();
      alarm.timer.start_on(cpu, Deadline::after(static_cast<std::uint64_t>(i % 7) * 50'000));
    }
    if (i % 3 == 0) sleep_for(100'000);
    for (auto& alarm : alarms) {
      alarm.timer.cancel();
      unsigned count = alarm.count.load();
      for (int j = 0; j < 100; ++j) arch::relax();
      expect_equal(alarm.count.load(), count);
    }
  }
}

KERNEL_TEST(timer, starts_on_an_idle_cpu) {
  for (unsigned cpu = 0; cpu < arch::cpu_count(); ++cpu) {
    Alarm alarm(TimerContext::interrupt);
    auto before = monotonic_ns();
    alarm.timer.start_on(cpu, Deadline::after(2 * ns_per_ms));
    expect_ok(alarm.done.wait(WaitMode::uninterruptible, Deadline::after(2 * ns_per_second)));
    expect(monotonic_ns() - before < 500 * ns_per_ms, "the other CPU's timer came late");
    alarm.timer.cancel();
  }
}

KERNEL_TEST(lockdep, nothing_was_reported) { expect_equal(lockdep_reports(), 0u); }
