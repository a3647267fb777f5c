// Threads and the scheduler in the running kernel.
#include <arch/cpu.h>

#include <atomic>
#include <memory>
#include <new>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/sync/blocking.h"
#include "core/sync/completion.h"
#include "core/sync/mutex.h"
#include "core/time/clock.h"
#include "core/time/timer.h"
#include "test_threads.h"
#include "watchdog.h"

using namespace core;
using core::test::expect, core::test::expect_equal, core::test::expect_ok, core::test::expect_error;

namespace {
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

// Who finds a thread asleep may have to wait for its CPU's lock until the thread has woken by itself and
// ended.
KERNEL_TEST(sched, late_wakers_leave_the_dead_alone) {
  auto sleeper_body = [](void*) {
    for (unsigned i = 0; i < 20; ++i) {
      sleep_begin(WaitMode::uninterruptible);
      arch::relax();
      sleep_cancel();
    }
    sleep_begin(WaitMode::uninterruptible);
    sleep_cancel();
  };
  for (int round = 0; round < 200; ++round) {
    auto sleeper = Thread::create("test", sleeper_body, nullptr);
    if (!expect_ok(sleeper)) return;
    auto body = [&](unsigned) {
      Deadline deadline = Deadline::after(5 * ns_per_second);
      while ((*sleeper)->state() != RunState::dead && !deadline.is_over()) wake(**sleeper);
    };
    TestThreads wakers;
    wakers.start_many(3, body);
    (*sleeper)->start();
    wakers.join();
    expect((*sleeper)->state() == RunState::dead);
  }
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

// Everybody moves everybody: a thread that is on its way is sent on, and whoever asked sees it arrive.
KERNEL_TEST(sched, affinity_changes_from_all_sides) {
  if (arch::cpu_count() < 2) return core::test::skip("one CPU");
  constexpr unsigned changes = 150;
  std::atomic<bool> stop{false};
  std::atomic<unsigned> done{0};
  auto spins = [&](unsigned) {
    while (!stop) arch::relax();
  };
  auto sleeps = [&](unsigned) {
    while (!stop) sleep_for(20 * ns_per_us);
  };
  TestThreads targets;
  Thread* spinner = targets.start(spins);
  Thread* sleeper = targets.start(sleeps);
  auto mover = [&](unsigned index) {
    for (unsigned i = 0; i < changes; ++i) {
      unsigned wanted = (index * 7 + i * 3) % arch::cpu_count();
      expect_ok((i % 2 ? spinner : sleeper)->set_affinity(CpuMask::single(wanted)));
    }
    done.fetch_add(1);
  };
  if (spinner && sleeper) {
    TestThreads movers;
    movers.start_many(3, mover);
    movers.join();
    expect_equal(done.load(), 3u);
  }
  stop = true;
}

namespace {
// A timer that wakes somebody from its interrupt, and what a fair thread on that CPU had done until then.
struct WakeFromInterrupt {
  Timer timer{[](Timer& fired) {
                auto& self = *base::container_of(&fired, &WakeFromInterrupt::timer);
                self.hog_turns_then = self.hog_turns.load();
                self.due.complete();
              },
              TimerContext::interrupt};
  Completion due;
  std::atomic<std::uint64_t> hog_turns{0};
  std::atomic<std::uint64_t> hog_turns_then{0};
};
}  // namespace

// Not a single turn of the fair thread may come between the interrupt that wakes the urgent one and that one.
// (Judged by order, not by the clock: an emulator may be kept from its CPU for any time.)
KERNEL_TEST(sched, real_time_preempts_fair) {
  WakeFromInterrupt wake_up;
  std::atomic<bool> stop{false};
  auto hog = [&](unsigned) {
    while (!stop) wake_up.hog_turns.fetch_add(1);
  };
  constexpr unsigned rounds = 50;
  unsigned late = 0;
  auto urgent = [&](unsigned) {
    for (unsigned i = 0; i < rounds; ++i) {
      wake_up.timer.start_on(0, Deadline::after(ns_per_ms));
      wake_up.due.wait();
      if (wake_up.hog_turns != wake_up.hog_turns_then) ++late;
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
  expect(wake_up.hog_turns != 0u, "the fair thread never ran: nothing was preempted");
  expect_equal(late, 0u);
}

KERNEL_TEST(sched, watchdog_notices_a_cpu_that_stands_still) {
  if (arch::cpu_count() < 2) return core::test::skip("one CPU");
  std::atomic<bool> pinned{false}, stop{false};
  auto stands = [&](unsigned) {
    PreemptOff off;
    pinned = true;
    while (!stop) arch::relax();
  };
  auto waits = [](unsigned) {};
  unsigned cpu = arch::cpu_count() - 1;
  WatchdogView view;
  TestThreads threads;
  threads.start(stands, {}, cpu);
  if (expect(eventually([&] { return pinned.load(); }))) {
    expect_ok(Thread::current().set_affinity(CpuMask::single(0)));
    threads.start(waits, {}, cpu);
    unsigned looks = 1;
    while (!watchdog_look(cpu, view) && looks < 100) ++looks;
    // The first look sees how far the CPU is.
    expect_equal(looks, WatchdogView::patience + 1);
    expect(!watchdog_look(cpu, view), "a standstill is reported once");
    expect_ok(Thread::current().set_affinity(CpuMask::all()));
  }
  stop = true;
  threads.join();
  watchdog_look(cpu, view);
  expect_equal(view.looks, 0u);
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
  std::uint64_t a = 0, b = 0;
  // Weights 1024 and 335: 3.06 to 1. What an emulator takes away while one of them runs counts as its time,
  // and the other one gets as much in return: so over some time the shares are right.
  bool divided = eventually([&] {
    a = normal->runtime_ns();
    b = nice->runtime_ns();
    return a + b > 300 * ns_per_ms && a > 2 * b && a < 5 * b;
  });
  stop = true;
  core::log(LogLevel::info, "sched: nice 0 ran {} us, nice 5 ran {} us", a / 1000, b / 1000);
  expect(divided, "time is not divided by weight");
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

namespace {

// How late the timer interrupts of this machine come, by timers on every CPU. Where CPUs are emulated on a
// busy host that is what a budget can be exceeded by: a thread runs on until the interrupt that would stop
// it.
class TimerLateness {
 public:
  static constexpr std::uint64_t interval_ns = 5 * ns_per_ms;

  TimerLateness() {
    for (unsigned cpu = 0; cpu < arch::cpu_count(); ++cpu) {
      probes_[cpu].owner = this;
      probes_[cpu].timer.start_on(cpu, Deadline::after(interval_ns));
    }
  }
  ~TimerLateness() { stop(); }
  TimerLateness(const TimerLateness&) = delete;
  TimerLateness& operator=(const TimerLateness&) = delete;

  // All of it; the last one may have begun right after a probe, and is up to an interval longer than it
  // shows.
  std::uint64_t stop() {
    stopped_ = true;
    for (Probe& probe : probes_) probe.timer.cancel();
    return total_ns_;
  }

 private:
  struct Probe {
    Timer timer{&fire, TimerContext::interrupt};
    TimerLateness* owner = nullptr;
  };
  static void fire(Timer& timer) {
    TimerLateness& self = *base::container_of(&timer, &Probe::timer)->owner;
    self.total_ns_ += monotonic_ns() - timer.deadline_ns();
    if (!self.stopped_) timer.start(Deadline::after(interval_ns));
  }

  Probe probes_[arch::max_cpus];
  std::atomic<std::uint64_t> total_ns_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace

// 2 of every 10 ms. What the thread runs beyond its budget, because the interrupt came late, the server makes
// it pay back, but that takes several periods: over the whole time it gets its share, one budget, and at most
// what interrupts were late.
KERNEL_TEST(sched, deadline_threads_keep_to_their_budget) {
  constexpr std::uint64_t runtime = 2 * ns_per_ms, period = 10 * ns_per_ms;
  std::atomic<bool> stop{false};
  auto hog = [&](unsigned) {
    while (!stop) arch::relax();
  };
  std::unique_ptr<TimerLateness> lateness(new (std::nothrow) TimerLateness);
  if (!expect(lateness != nullptr)) return;
  TestThreads threads;
  SchedulingParameters parameters{
      .policy = Policy::deadline, .runtime_ns = runtime, .deadline_ns = period, .period_ns = period};
  std::uint64_t began = monotonic_ns();
  Thread* thread = threads.start(hog, parameters);
  if (!thread) return;
  sleep_for(20 * period);
  bool got_its_share = eventually([&] { return thread->runtime_ns() >= 10 * runtime; });
  std::uint64_t ran = thread->runtime_ns(), elapsed = monotonic_ns() - began;
  stop = true;
  threads.join();
  std::uint64_t late = lateness->stop();
  core::log(LogLevel::info, "sched: a thread with 20 % ran {} of {} us; timers were {} us late in all",
            ran / 1000, elapsed / 1000, late / 1000);
  expect(got_its_share, "its budget was promised");
  std::uint64_t overrun = late + TimerLateness::interval_ns;
  expect(ran <= (elapsed / period + 2) * runtime + overrun, "it got more than its budget");
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
