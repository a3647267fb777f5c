// How a thread wants to be scheduled: sched_setattr(2), sched_setscheduler(2), setpriority(2).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "core/sync/urgency.h"

namespace core {

// The values are Linux's.
enum class Policy : std::uint8_t { other = 0, fifo = 1, round_robin = 2, batch = 3, idle = 5, deadline = 6 };

struct SchedulingParameters {
  Policy policy = Policy::other;
  std::int8_t nice = 0;          // other, batch: -20..19
  std::uint8_t priority = 0;     // fifo, round_robin: 1..99, larger is more urgent
  bool reset_on_fork = false;    // children start as `other`, nice 0 (or as they are, if harmless)
  std::uint64_t runtime_ns = 0;  // deadline: `runtime` in every `period`, done by `deadline` after its start.
  std::uint64_t deadline_ns = 0;  //   other, batch: runtime_ns is the wished-for slice, 0 = default
  std::uint64_t period_ns = 0;

  static constexpr SchedulingParameters fifo(unsigned priority) {
    return {.policy = Policy::fifo, .priority = static_cast<std::uint8_t>(priority)};
  }
  static constexpr SchedulingParameters fair(int nice = 0) {
    return {.nice = static_cast<std::int8_t>(nice)};
  }
  constexpr bool is_fair() const {
    return policy == Policy::other || policy == Policy::batch || policy == Policy::idle;
  }
  constexpr bool is_fixed() const { return policy == Policy::fifo || policy == Policy::round_robin; }
  // What locks see; a deadline thread's deadline changes with each period and is filled in by the scheduler.
  constexpr Urgency urgency() const {
    if (policy == Policy::deadline) return Urgency::deadline(0);
    if (is_fixed()) return Urgency::fixed(priority);
    if (policy == Policy::idle) return Urgency::idle();
    return Urgency::fair(nice);
  }
  // EINVAL unless the combination is one that sched_setattr(2) accepts.
  base::Result<void> validate() const;
};

inline constexpr std::uint64_t round_robin_slice_ns = 100'000'000;  // sched_rr_get_interval(2)

}  // namespace core
