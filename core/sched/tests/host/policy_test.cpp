// The scheduling policies in simulated time: one CPU, threads that run and sleep as told, a clock that jumps
// from event to event.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "../../src/class_queues.h"
#include "../../src/entity_setup.h"

using namespace core;

namespace {

constexpr std::uint64_t ms = 1'000'000;

struct SimulatedThread {
  SchedulingEntity entity;
  std::uint64_t run_ns = 0, sleep_ns = 0;  // 0, 0: never sleeps
  std::uint64_t left_ns = 0;
  std::uint64_t ran_ns = 0;
  std::uint64_t runnable_since = 0, worst_wait = 0;
  bool asleep = false;
  std::uint64_t wakes_at = 0;
};

class Cpu {
 public:
  SimulatedThread& add(const SchedulingParameters& parameters, std::uint64_t run_ns = 0,
                       std::uint64_t sleep_ns = 0) {
    auto thread = std::make_unique<SimulatedThread>();
    configure_entity(thread->entity, parameters, parameters.urgency());
    thread->run_ns = thread->left_ns = run_ns;
    thread->sleep_ns = sleep_ns;
    thread->runnable_since = now;
    queues.account(now);
    queues.add(thread->entity, now, ClassQueues::Reason::woken);
    resched |= queues.preempts(thread->entity);
    threads.push_back(std::move(thread));
    return *threads.back();
  }
  void run_until(std::uint64_t end) {
    while (now < end) {
      if (resched || !queues.current()) reschedule();
      std::uint64_t next = std::min(end, std::max(queues.next_event_ns(now), now + 1'000));
      for (auto& thread : threads)
        if (thread->asleep) next = std::min(next, thread->wakes_at);
      SimulatedThread* current = of(queues.current());
      if (current && current->run_ns) next = std::min(next, now + current->left_ns);
      std::uint64_t step = next - now;
      now = next;
      if (current) {
        current->ran_ns += step;
        if (current->run_ns) current->left_ns -= std::min(step, current->left_ns);
      }
      resched |= queues.account(now);
      if (current && current->run_ns && current->left_ns == 0) {
        queues.remove(current->entity);
        current->asleep = true;
        current->wakes_at = now + current->sleep_ns;
        current->left_ns = current->run_ns;
        resched = true;
      }
      for (auto& thread : threads) {
        if (!thread->asleep || thread->wakes_at > now) continue;
        thread->asleep = false;
        thread->runnable_since = now;
        queues.add(thread->entity, now, ClassQueues::Reason::woken);
        resched |= queues.preempts(thread->entity);
      }
    }
  }
  void reschedule(ClassQueues::Put put = ClassQueues::Put::preempted) {
    if (SimulatedThread* current = of(queues.current())) {
      current->runnable_since = now;
      queues.put_current(put, now);
    }
    resched = false;
    if (SimulatedThread* next = of(queues.pick(now)))
      next->worst_wait = std::max(next->worst_wait, now - next->runnable_since);
  }
  ~Cpu() {
    for (auto& thread : threads)
      if (!thread->asleep) queues.remove(thread->entity);
  }

  ClassQueues queues;
  std::vector<std::unique_ptr<SimulatedThread>> threads;
  std::uint64_t now = 1'000'000;
  bool resched = false;

 private:
  SimulatedThread* of(SchedulingEntity* entity) {
    for (auto& thread : threads)
      if (&thread->entity == entity) return thread.get();
    return nullptr;
  }
};

TEST(Fair, EqualThreadsGetEqualTime) {
  Cpu cpu;
  for (int i = 0; i < 7; ++i) cpu.add(SchedulingParameters::fair());
  cpu.run_until(1'000 * ms);
  for (auto& thread : cpu.threads) EXPECT_NEAR(double(thread->ran_ns), 999e6 / 7, 2 * fair_default_slice_ns);
}

TEST(Fair, TimeFollowsWeight) {
  Cpu cpu;
  std::uint64_t total = 0;
  for (int nice : {-10, -3, 0, 4, 12, 19}) {
    cpu.add(SchedulingParameters::fair(nice));
    total += fair_weight(nice);
  }
  cpu.run_until(20'000 * ms);
  for (auto& thread : cpu.threads) {
    double share = double(thread->ran_ns) / 19'999e6;
    EXPECT_NEAR(share, double(thread->entity.weight) / double(total), 0.002);
  }
}

// The lag bound of EEVDF: never further than about a slice from the perfect share, at any moment.
TEST(Fair, LagStaysWithinASlice) {
  Cpu cpu;
  std::mt19937 random(1);
  for (int i = 0; i < 10; ++i) cpu.add(SchedulingParameters::fair(int(random() % 20) - 10));
  for (int step = 0; step < 3'000; ++step) {
    cpu.run_until(cpu.now + 200'000 + random() % ms);
    for (auto& thread : cpu.threads) {
      double lag =
          double(cpu.queues.fair().lag_of(thread->entity)) * thread->entity.weight / fair_unit_weight;
      EXPECT_LT(std::abs(lag), 1.5 * fair_default_slice_ns);
    }
  }
}

TEST(Fair, SleepersAreServedSoonAndGainNothing) {
  Cpu cpu;
  auto& hog = cpu.add(SchedulingParameters::fair());
  auto& other_hog = cpu.add(SchedulingParameters::fair());
  auto& sleeper = cpu.add(SchedulingParameters::fair(), ms / 2, 20 * ms);
  cpu.run_until(5'000 * ms);
  EXPECT_LT(sleeper.worst_wait, 3 * fair_default_slice_ns);
  EXPECT_GT(sleeper.ran_ns, 90 * ms);
  EXPECT_NEAR(double(hog.ran_ns), double(other_hog.ran_ns), 2.0 * fair_default_slice_ns);
  // One that slept for ever does not monopolise the CPU afterwards.
  Cpu second;
  auto& lazy = second.add(SchedulingParameters::fair(), 1'000, 3'000 * ms);
  auto& busy = second.add(SchedulingParameters::fair());
  second.run_until(2'000 * ms);
  lazy.run_ns = 0;
  second.run_until(3'100 * ms);
  std::uint64_t before = busy.ran_ns, lazy_before = lazy.ran_ns;
  second.run_until(3'200 * ms);
  EXPECT_NEAR(double(busy.ran_ns - before), 50e6, 5e6);
  EXPECT_NEAR(double(lazy.ran_ns - lazy_before), 50e6, 5e6);
}

TEST(Fair, ShorterSlicesMeanShorterWaits) {
  Cpu cpu;
  for (int i = 0; i < 4; ++i) cpu.add(SchedulingParameters::fair());
  auto& quick = cpu.add({.runtime_ns = 200'000}, 100'000, 5 * ms);
  cpu.run_until(5'000 * ms);
  EXPECT_LT(quick.worst_wait, 2 * fair_default_slice_ns);
}

TEST(Fair, YieldLetsTheOtherRun) {
  Cpu cpu;
  auto& a = cpu.add(SchedulingParameters::fair());
  auto& b = cpu.add(SchedulingParameters::fair());
  for (int i = 0; i < 100; ++i) {
    cpu.run_until(cpu.now + 10'000);
    SchedulingEntity* before = cpu.queues.current();
    cpu.reschedule(ClassQueues::Put::yielded);
    EXPECT_NE(cpu.queues.current(), before);
  }
  EXPECT_NEAR(double(a.ran_ns), double(b.ran_ns), 50'000);
}

TEST(Fair, IdlePolicyGivesWay) {
  Cpu cpu;
  auto& idle = cpu.add({.policy = Policy::idle});
  auto& normal = cpu.add(SchedulingParameters::fair());
  cpu.run_until(3'000 * ms);
  EXPECT_GT(normal.ran_ns, idle.ran_ns * 100);
  EXPECT_GT(idle.ran_ns, 0u);
}

TEST(Fair, NiceMayChangeAtAnyTime) {
  Cpu cpu;
  auto& a = cpu.add(SchedulingParameters::fair());
  cpu.add(SchedulingParameters::fair());
  std::mt19937 random(2);
  for (int i = 0; i < 500; ++i) {
    cpu.run_until(cpu.now + ms);
    cpu.queues.account(cpu.now);
    bool is_current = cpu.queues.current() == &a.entity;
    cpu.queues.remove(a.entity);
    auto parameters = SchedulingParameters::fair(int(random() % 40) - 20);
    configure_entity(a.entity, parameters, parameters.urgency());
    cpu.queues.add(a.entity, cpu.now, ClassQueues::Reason::moved);
    if (is_current) cpu.queues.adopt_current(a.entity);
    cpu.resched = true;
  }
  EXPECT_GT(a.ran_ns, 0u);
  EXPECT_LT(std::abs(cpu.queues.fair().lag_of(a.entity)), std::int64_t(1'000'000 * ms));
}

TEST(Fixed, HigherPriorityFirst) {
  Cpu cpu;
  auto& low = cpu.add(SchedulingParameters::fifo(10));
  auto& high = cpu.add(SchedulingParameters::fifo(50), 2 * ms, 8 * ms);
  auto& fair = cpu.add(SchedulingParameters::fair());
  cpu.run_until(501 * ms);
  EXPECT_EQ(high.worst_wait, 0u);
  EXPECT_NEAR(double(high.ran_ns), 100e6, 2e6);
  EXPECT_NEAR(double(low.ran_ns), 400e6, 2e6);
  EXPECT_EQ(fair.ran_ns, 0u);
}

TEST(Fixed, FairThreadsKeepFivePercent) {
  Cpu cpu;
  cpu.add(SchedulingParameters::fifo(10));
  auto& fair = cpu.add(SchedulingParameters::fair());
  cpu.run_until(10'000 * ms);
  EXPECT_NEAR(double(fair.ran_ns), 500e6, 60e6);
}

TEST(Fixed, RoundRobinTakesTurnsAndFifoDoesNot) {
  Cpu cpu;
  SchedulingParameters round_robin{.policy = Policy::round_robin, .priority = 20};
  auto& a = cpu.add(round_robin);
  auto& b = cpu.add(round_robin);
  cpu.run_until(901 * ms);
  EXPECT_NEAR(double(a.ran_ns), double(b.ran_ns), double(round_robin_slice_ns));
  Cpu second;
  auto& first = second.add(SchedulingParameters::fifo(20));
  auto& never = second.add(SchedulingParameters::fifo(20));
  second.run_until(901 * ms);
  EXPECT_EQ(never.ran_ns, 0u);
  EXPECT_EQ(first.ran_ns, 900 * ms);
}

SchedulingParameters deadline(std::uint64_t runtime, std::uint64_t period) {
  return {.policy = Policy::deadline, .runtime_ns = runtime, .deadline_ns = period, .period_ns = period};
}

TEST(Deadline, EveryoneGetsTheBudgetInEveryPeriod) {
  Cpu cpu;
  auto& a = cpu.add(deadline(2 * ms, 10 * ms));
  auto& b = cpu.add(deadline(3 * ms, 12 * ms));
  auto& c = cpu.add(deadline(5 * ms, 20 * ms));
  auto& hog = cpu.add(SchedulingParameters::fifo(99));
  cpu.run_until(12'001 * ms);
  EXPECT_NEAR(double(a.ran_ns) / 12e9, 0.2, 0.005);
  EXPECT_NEAR(double(b.ran_ns) / 12e9, 0.25, 0.005);
  EXPECT_NEAR(double(c.ran_ns) / 12e9, 0.25, 0.005);
  EXPECT_NEAR(double(hog.ran_ns) / 12e9, 0.3, 0.01);
}

TEST(Deadline, JobsMeetTheirDeadlinesBelowFullUse) {
  Cpu cpu;
  // 0.3 + 0.3 + 0.3: schedulable by EDF. Each job runs a little less than its budget.
  auto& a = cpu.add(deadline(3 * ms, 10 * ms), 29 * ms / 10, 0);
  cpu.add(deadline(6 * ms, 20 * ms), 59 * ms / 10, 0);
  cpu.add(deadline(9 * ms, 30 * ms), 89 * ms / 10, 0);
  cpu.run_until(3'001 * ms);
  EXPECT_GT(a.ran_ns, 3'000 * ms * 28 / 100);
}

TEST(Deadline, OverrunHurtsOnlyTheCulprit) {
  Cpu cpu;
  auto& greedy = cpu.add(deadline(1 * ms, 10 * ms));
  auto& honest = cpu.add(deadline(4 * ms, 10 * ms), 3 * ms, 7 * ms);
  cpu.run_until(2'001 * ms);
  EXPECT_NEAR(double(greedy.ran_ns), 200e6, 5e6);
  EXPECT_LT(honest.worst_wait, 7 * ms);
  EXPECT_GT(honest.ran_ns, 500 * ms);
}

// 2 of every 10 ms, awake since time 0.
struct Server : SchedulingEntity {
  Server() {
    auto parameters = deadline(2 * ms, 10 * ms);
    configure_entity(*this, parameters, parameters.urgency());
    DeadlineQueue::wake_up(*this, 0);
  }
};

// The interrupt that should have stopped it came 28 ms late: fourteen budgets, so fourteen periods are owed.
TEST(Deadline, LongOverrunIsPaidBack) {
  Server entity;
  EXPECT_TRUE(DeadlineQueue::account(entity, 30 * ms));
  DeadlineQueue::start_next_period(entity, 30 * ms);
  std::uint64_t ran_ns = 30 * ms;
  for (std::uint64_t now = 30 * ms; now < 1000 * ms;) {
    while (entity.dl_throttled) {
      now = std::max(now, entity.dl_replenish_ns);
      DeadlineQueue::start_next_period(entity, now);
    }
    // Nothing more until the overrun is paid for.
    EXPECT_LE(ran_ns, now / (10 * ms) * 2 * ms) << now;
    now += 2 * ms;
    ran_ns += 2 * ms;
    DeadlineQueue::account(entity, 2 * ms);
  }
  EXPECT_LE(ran_ns, 204 * ms);
  EXPECT_GE(ran_ns, 196 * ms);
}

TEST(Deadline, MissedPeriodsAreNotMadeUpFor) {
  Server entity;
  EXPECT_TRUE(DeadlineQueue::account(entity, 2 * ms));
  std::uint64_t hour = 3'600'000 * ms;
  DeadlineQueue::start_next_period(entity, hour);
  EXPECT_FALSE(entity.dl_throttled);
  EXPECT_EQ(entity.dl_budget_ns, static_cast<std::int64_t>(2 * ms));
  EXPECT_EQ(entity.dl_absolute_ns, hour + 10 * ms);
  EXPECT_EQ(entity.dl_replenish_ns, hour + 10 * ms);
}

TEST(Deadline, Admission) {
  DeadlineAdmission admission;
  auto half = DeadlineAdmission::bandwidth(5 * ms, 10 * ms);
  EXPECT_TRUE(admission.admit(0, half, 1));
  EXPECT_FALSE(admission.admit(0, half, 1));
  EXPECT_TRUE(admission.admit(half, half / 2, 1));
  EXPECT_TRUE(admission.admit(0, half, 1));
  EXPECT_TRUE(admission.admit(0, half, 2));
  admission.release(half);
  EXPECT_NEAR(double(DeadlineAdmission::bandwidth(1 * ms, 3 * ms)), double(DeadlineAdmission::unit) / 3, 100);
}

TEST(Parameters, Validation) {
  EXPECT_TRUE(SchedulingParameters::fair(-20).validate());
  EXPECT_FALSE(SchedulingParameters::fair(20).validate());
  EXPECT_TRUE(SchedulingParameters::fifo(1).validate());
  EXPECT_FALSE(SchedulingParameters::fifo(0).validate());
  EXPECT_FALSE(SchedulingParameters::fifo(100).validate());
  EXPECT_TRUE(deadline(ms, 10 * ms).validate());
  EXPECT_FALSE(deadline(11 * ms, 10 * ms).validate());
  EXPECT_FALSE(deadline(100, 10 * ms).validate());
}

TEST(Boost, LentUrgencyChangesTheClassAndIsGivenBack) {
  SchedulingEntity entity;
  auto parameters = SchedulingParameters::fair(3);
  configure_entity(entity, parameters, parameters.urgency());
  EXPECT_EQ(entity.scheduling_class, SchedulingClass::fair);
  configure_entity(entity, parameters, Urgency::fixed(70));
  EXPECT_EQ(entity.scheduling_class, SchedulingClass::fixed);
  EXPECT_EQ(entity.priority, 70);
  configure_entity(entity, parameters, Urgency::deadline(5));
  EXPECT_EQ(entity.scheduling_class, SchedulingClass::deadline);
  EXPECT_TRUE(entity.boosted);
  configure_entity(entity, parameters, parameters.urgency());
  EXPECT_EQ(entity.scheduling_class, SchedulingClass::fair);
  EXPECT_EQ(entity.weight, fair_weight(3));
  EXPECT_FALSE(entity.boosted);
}

}  // namespace
