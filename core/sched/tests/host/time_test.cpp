#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/sched/work_queue.h"
#include "core/sync/completion.h"
#include "core/time/clock.h"
#include "core/time/timer.h"

using namespace core;

namespace {

struct Alarm {
  Timer timer{[](Timer& timer) {
    auto& self = *base::container_of(&timer, &Alarm::timer);
    self.fired_at = monotonic_ns();
    ++self.count;
    self.done.complete();
  }};
  Completion done;
  std::atomic<std::uint64_t> fired_at{0};
  std::atomic<int> count{0};
};

TEST(Timer, FiresOnceAndNotEarly) {
  Alarm alarm;
  auto deadline = Deadline::after(10 * ns_per_ms);
  EXPECT_FALSE(alarm.timer.start(deadline));
  alarm.done.wait();
  EXPECT_GE(alarm.fired_at, deadline.ns());
  EXPECT_FALSE(alarm.timer.cancel());
  EXPECT_EQ(alarm.count, 1);
}

TEST(Timer, CancelAndMove) {
  Alarm alarm;
  alarm.timer.start(Deadline::after(ns_per_second));
  EXPECT_TRUE(alarm.timer.is_pending());
  EXPECT_TRUE(alarm.timer.cancel());
  alarm.timer.start(Deadline::after(100 * ns_per_second));
  EXPECT_TRUE(alarm.timer.start(Deadline::after(ns_per_ms)));
  alarm.done.wait();
  alarm.timer.cancel();
  EXPECT_EQ(alarm.count, 1);
}

TEST(Clock, SetsAndShifts) {
  auto before = clock_set_count();
  initialize_clocks();
  EXPECT_EQ(set_realtime(1).error(), base::Errno::einval);
  EXPECT_TRUE(set_realtime(2'000'000'000 * ns_per_second));
  EXPECT_NEAR(double(realtime_ns()), 2e18, 1e9);
  auto monotonic = monotonic_ns();
  EXPECT_TRUE(shift_realtime(-5 * std::int64_t{1'000'000'000}));
  EXPECT_LT(monotonic_ns() - monotonic, ns_per_second);
  EXPECT_EQ(clock_set_count(), before + 2);
  ClockAdjustment adjustment = clock_adjustment();
  adjustment.frequency_ppm_16 = std::int64_t{501} << 16;
  EXPECT_EQ(set_clock_adjustment(adjustment).error(), base::Errno::einval);
  adjustment.frequency_ppm_16 = std::int64_t{-100} << 16;
  EXPECT_TRUE(set_clock_adjustment(adjustment));
  auto raw = raw_ns(), trimmed = monotonic_ns();
  EXPECT_GE(monotonic_ns(), trimmed);
  EXPECT_GE(raw_ns(), raw);
  // Back to the plain rate for the other tests.
  adjustment.frequency_ppm_16 = 0;
  EXPECT_TRUE(set_clock_adjustment(adjustment));
}

struct Job {
  Work work{[](Work& work) {
    auto& self = *base::container_of(&work, &Job::work);
    if (self.running.fetch_add(1) != 0) self.overlapped = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    --self.running;
    ++self.runs;
  }};
  std::atomic<int> running{0}, runs{0};
  std::atomic<bool> overlapped{false};
};

TEST(WorkQueue, RunsAgainButNeverTwiceAtOnce) {
  Job job;
  for (int i = 0; i < 10; ++i) {
    WorkQueue::system().post(job.work);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  WorkQueue::system().flush(job.work);
  EXPECT_GE(job.runs, 2);
  EXPECT_FALSE(job.overlapped);
  WorkQueue::system().cancel_and_wait(job.work);
}

TEST(WorkQueue, OneThatSleepsDoesNotHoldUpTheNext) {
  struct Sleeper {
    Work work{[](Work& work) { base::container_of(&work, &Sleeper::work)->go.wait(); }};
    Completion go;
  } sleeper;
  WorkQueue::system().post(sleeper.work);
  Job job;
  WorkQueue::system().post(job.work);
  WorkQueue::system().flush(job.work);
  EXPECT_EQ(job.runs, 1);
  sleeper.go.complete();
  WorkQueue::system().flush(sleeper.work);
}

}  // namespace
