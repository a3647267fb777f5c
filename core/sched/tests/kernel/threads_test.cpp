// Threads and the scheduler in the running kernel.
#include <arch/cpu.h>

#include <atomic>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/sync/mutex.h"
#include "core/time/clock.h"
#include "test_threads.h"

using namespace core;
using core::test::expect, core::test::expect_equal, core::test::expect_ok, core::test::expect_error;

namespace {
constexpr std::uint64_t fair_slice_ns = 3 * ns_per_ms;

void spin_for(std::uint64_t ns) {
  auto end = Deadline::after(ns);
  while (!end.is_over()) arch::relax();
}
}  // namespace

KERNEL_TEST(sched, starts_and_ends_threads) {
  std::atomic<unsigned> ran{0};
  auto body = [&](unsigned) { ran.fetch_add(1); };
  for (int round = 0; round < 20; ++round) {
    TestThreads threads;
    threads.start_many(10, body);
  }
  expect_equal(ran.load(), 200u);
  rcu_barrier();
}

KERNEL_TEST(sched, sleeps_as_long_as_asked) {
  for (std::uint64_t ns : {100'000ull, 1'000'000ull, 20'000'000ull}) {
    auto before = monotonic_ns();
    expect_ok(sleep_until(Deadline::after(ns), WaitMode::interruptible));
    auto slept = monotonic_ns() - before;
    expect(slept >= ns, "woke early");
    expect(slept < ns + 500'000'000, "woke much too late");
  }
}

KERNEL_TEST(sched, interruption_ends_a_sleep) {
  std::atomic<bool> interrupted{false};
  std::atomic<Thread*> sleeper{nullptr};
  auto body = [&](unsigned) {
    sleeper = &Thread::current();
    auto result = sleep_until(Deadline::after(60 * ns_per_second), WaitMode::interruptible);
    interrupted = !result && result.error() == base::Errno::eintr;
  };
  TestThreads threads;
  threads.start(body);
  if (!expect(eventually(
          [&] { return sleeper.load() && sleeper.load()->state() == RunState::asleep_interruptible; })))
    return;
  sleeper.load()->set_interrupted(InterruptLevel::signal);
  threads.join();
  expect(interrupted.load());
}

KERNEL_TEST(sched, obeys_affinity) {
  auto body = [&](unsigned index) {
    for (int i = 0; i < 50; ++i) {
      unsigned wanted = (index + static_cast<unsigned>(i)) % arch::cpu_count();
      expect_ok(Thread::current().set_affinity(CpuMask::single(wanted)));
      PreemptOff pinned;
      expect_equal(arch::cpu_index(), wanted);
    }
  };
  TestThreads threads;
  threads.start_many(8, body);
  threads.join();
  auto result = Thread::current().set_affinity(CpuMask{});
  expect_error(result, base::Errno::einval);
}

KERNEL_TEST(sched, moves_a_running_thread) {
  if (arch::cpu_count() < 2) return core::test::skip("one CPU");
  std::atomic<bool> stop{false};
  auto body = [&](unsigned) {
    while (!stop) arch::relax();
  };
  TestThreads threads;
  Thread* thread = threads.start(body, {}, 0);
  for (unsigned i = 0; thread && i < 40; ++i) {
    unsigned wanted = i % arch::cpu_count();
    expect_ok(thread->set_affinity(CpuMask::single(wanted)));
    expect_equal(thread->last_cpu(), wanted);
  }
  stop = true;
}

KERNEL_TEST(sched, real_time_preempts_fair) {
  std::atomic<bool> stop{false};
  auto hog = [&](unsigned) {
    while (!stop) arch::relax();
  };
  // Half of the wake-ups: the emulator itself may be kept from the CPU for a while.
  constexpr unsigned rounds = 50;
  unsigned late = 0;
  std::uint64_t worst = 0;
  auto urgent = [&](unsigned) {
    for (unsigned i = 0; i < rounds; ++i) {
      auto due = monotonic_ns() + ns_per_ms;
      expect_ok(sleep_until(Deadline::at(due), WaitMode::uninterruptible));
      auto by = monotonic_ns() - due;
      if (by > worst) worst = by;
      if (by > fair_slice_ns) ++late;
    }
  };
  {
    TestThreads threads;
    threads.start(hog, {}, 0);
    TestThreads urgent_threads;
    urgent_threads.start(urgent, SchedulingParameters::fifo(60), 0);
    urgent_threads.join();
    stop = true;
  }
  core::log(LogLevel::info, "sched: real-time wake-up beside hogs: at worst {} us late, {} of {} by a slice",
            worst / 1000, late, rounds);
  expect(late < rounds / 2, "a real-time thread waited for fair ones");
}

KERNEL_TEST(sched, divides_time_by_weight) {
  std::atomic<bool> stop{false};
  auto hog = [&](unsigned) {
    while (!stop) arch::relax();
  };
  TestThreads threads;
  Thread* normal = threads.start(hog, SchedulingParameters::fair(0), 0);
  Thread* nice = threads.start(hog, SchedulingParameters::fair(5), 0);
  if (!normal || !nice) return;
  sleep_for(300 * ns_per_ms);
  std::uint64_t a = normal->runtime_ns(), b = nice->runtime_ns();
  stop = true;
  // Weights 1024 and 335: 3.06 to 1.
  core::log(LogLevel::info, "sched: nice 0 ran {} us, nice 5 ran {} us", a / 1000, b / 1000);
  expect(a > 2 * b && a < 5 * b, "time is not divided by weight");
}

KERNEL_TEST(sched, uses_all_cpus) {
  if (arch::cpu_count() < 2) return core::test::skip("one CPU");
  std::atomic<std::uint64_t> seen{0};
  std::atomic<bool> stop{false};
  auto body = [&](unsigned) {
    while (!stop) {
      {
        PreemptOff pinned;
        seen.fetch_or(std::uint64_t{1} << (arch::cpu_index() % 64));
      }
      spin_for(50'000);
    }
  };
  TestThreads threads;
  for (unsigned i = 0; i < arch::cpu_count(); ++i) threads.start(body);
  unsigned cpus = arch::cpu_count() < 64 ? arch::cpu_count() : 64;
  expect(eventually([&] { return static_cast<unsigned>(std::popcount(seen.load())) == cpus; }),
         "some CPU stays idle");
  stop = true;
}

KERNEL_TEST(sched, yield_lets_the_other_run) {
  std::atomic<unsigned> turn{0};
  auto body = [&](unsigned index) {
    for (int i = 0; i < 200; ++i) {
      Deadline deadline = Deadline::after(5 * ns_per_second);
      while (turn.load() % 2 != index && !deadline.is_over()) yield();
      turn.fetch_add(1);
    }
  };
  TestThreads threads;
  threads.start(body, {}, 0);
  threads.start(body, {}, 0);
  threads.join();
  expect_equal(turn.load(), 400u);
}

KERNEL_TEST(sched, deadline_threads_keep_to_their_budget) {
  std::atomic<bool> stop{false};
  auto hog = [&](unsigned) {
    while (!stop) arch::relax();
  };
  TestThreads threads;
  SchedulingParameters parameters{.policy = Policy::deadline,
                                  .runtime_ns = 2'000'000,
                                  .deadline_ns = 10'000'000,
                                  .period_ns = 10'000'000};
  Thread* thread = threads.start(hog, parameters);
  if (!thread) return;
  sleep_for(200 * ns_per_ms);
  std::uint64_t ran = thread->runtime_ns();
  stop = true;
  core::log(LogLevel::info, "sched: a thread with 20 % ran {} of 200 ms", ran / ns_per_ms);
  expect(ran > 15 * ns_per_ms && ran < 80 * ns_per_ms, "20 percent were promised");
}

KERNEL_TEST(sched, refuses_too_many_deadlines) {
  SchedulingParameters parameters{.policy = Policy::deadline,
                                  .runtime_ns = 10'000'000,
                                  .deadline_ns = 10'000'000,
                                  .period_ns = 10'000'000};
  auto body = [](void*) {};
  unsigned admitted = 0;
  base::RefPtr<Thread> threads[8];
  for (auto& thread : threads) {
    auto created = Thread::create("dl", body, nullptr, parameters);
    if (!created) {
      expect_equal(created.error(), base::Errno::ebusy);
      break;
    }
    thread = *created;
    ++admitted;
  }
  expect(admitted < arch::cpu_count() || arch::cpu_count() > 8, "admitted more than there is");
  for (auto& thread : threads)
    if (thread) expect_ok(thread->set_parameters({}));
}

KERNEL_TEST(sched, mutex_lends_priority) {
  // A (fair) holds the mutex and is kept from the CPU by M (FIFO 10); H (FIFO 20) wants the mutex. With
  // inheritance A gets the CPU before M ends.
  Mutex mutex{"test"};
  std::atomic<bool> held{false}, release{false}, got{false}, stop{false};
  auto a = [&](unsigned) {
    MutexGuard guard(mutex);
    held = true;
    while (!release) arch::relax();
  };
  auto m = [&](unsigned) {
    Deadline deadline = Deadline::after(500 * ns_per_ms);
    while (!stop && !deadline.is_over()) arch::relax();
  };
  auto h = [&](unsigned) {
    MutexGuard guard(mutex);
    got = true;
  };
  TestThreads threads;
  threads.start(a, {}, 0);
  if (!expect(eventually([&] { return held.load(); }))) return;
  threads.start(m, SchedulingParameters::fifo(10), 0);
  release = true;
  threads.start(h, SchedulingParameters::fifo(20), 0);
  Deadline deadline = Deadline::after(400 * ns_per_ms);
  while (!got && !deadline.is_over()) sleep_for(ns_per_ms);
  bool in_time = got;
  stop = true;
  threads.join();
  expect(in_time, "the owner was not lent the waiter's priority");
}
