// The policies of one CPU put together: deadline before fixed priority before fair. Pure: time comes in as a
// parameter, so that host tests run whole schedules in simulated time. The run queue's lock protects it in
// the kernel.
//
//   queues.add(entity, now, Reason::woken);
//   if (queues.preempts(entity)) reschedule();
//   ...
//   queues.account(now);                       // charge the running one up to now; true: its turn is over
//   queues.put_current(Put::preempted, now);   // or remove(current) if it sleeps
//   SchedulingEntity* next = queues.pick(now);
//   set_timer(queues.next_event_ns(now));      // call account() again at that time at the latest
//
// Fixed-priority threads are kept to 95 % of each second while fair ones wait, so that one that never sleeps
// leaves a machine that can still be talked to.
#pragma once

#include <cstdint>

#include "core/sched/scheduling_entity.h"
#include "deadline_queue.h"
#include "fair_queue.h"
#include "fixed_queue.h"

namespace core {

class ClassQueues {
 public:
  enum class Reason : std::uint8_t { woken, moved };  // moved: from another CPU, or its parameters changed
  enum class Put : std::uint8_t { preempted, yielded };
  static constexpr std::uint64_t no_event = ~std::uint64_t{0};
  static constexpr std::uint64_t fixed_window_ns = 1'000'000'000, fixed_budget_ns = 950'000'000;

  void add(SchedulingEntity& entity, std::uint64_t now_ns, Reason reason);
  // Queued or current; account() first.
  void remove(SchedulingEntity& entity);
  bool account(std::uint64_t now_ns);
  void put_current(Put put, std::uint64_t now_ns);
  // Takes the next one to run; null: nobody.
  SchedulingEntity* pick(std::uint64_t now_ns);
  // A queued one becomes the running one without a choice: its parameters changed while it ran.
  void adopt_current(SchedulingEntity& entity);
  bool preempts(const SchedulingEntity& entity) const;
  std::uint64_t next_event_ns(std::uint64_t now_ns);

  SchedulingEntity* current() const { return current_; }
  unsigned runnable() const {
    return fair_.waiting() + fixed_.waiting() + deadline_.waiting() + (current_ ? 1 : 0);
  }
  unsigned waiting() const { return fair_.waiting() + fixed_.waiting() + deadline_.waiting(); }
  std::uint64_t fair_load() const { return fair_.total_weight(); }
  FairQueue& fair() { return fair_; }
  FixedQueue& fixed() { return fixed_; }
  DeadlineQueue& deadline() { return deadline_; }

 private:
  bool fair_has_work() const;
  bool fixed_is_limited(std::uint64_t now_ns);

  FairQueue fair_;
  FixedQueue fixed_;
  DeadlineQueue deadline_;
  SchedulingEntity* current_ = nullptr;
  SchedulingEntity* passed_over_ = nullptr;  // has yielded: not picked again while others wait
  std::uint64_t accounted_ns_ = 0;
  std::uint64_t window_start_ns_ = 0;
  std::uint64_t fixed_used_ns_ = 0;
};

}  // namespace core
