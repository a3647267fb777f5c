// What the scheduling policies keep for each thread (src/policy.h). Pure data: the policies run on the host
// in simulated time with nothing but these. Everything here is protected by the lock of the run queue.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "core/sync/urgency.h"

namespace core {

// In order of precedence.
enum class SchedulingClass : std::uint8_t { deadline, fixed, fair, idle };

// A point in virtual or real time that may wrap around.
struct WrappingTime {
  std::uint64_t value = 0;
  constexpr bool operator<(WrappingTime other) const {
    return static_cast<std::int64_t>(value - other.value) < 0;
  }
  constexpr std::int64_t operator-(WrappingTime other) const {
    return static_cast<std::int64_t>(value - other.value);
  }
  constexpr WrappingTime operator+(std::int64_t amount) const {
    return {value + static_cast<std::uint64_t>(amount)};
  }
  constexpr bool operator==(const WrappingTime&) const = default;
};

struct SchedulingEntity {
  SchedulingClass scheduling_class = SchedulingClass::fair;
  bool queued = false;  // in one of the policies' structures (the running one is not)
  bool round_robin = false;
  bool boosted = false;  // runs with a lent urgency: no budget, no slice

  // Fair.
  std::uint32_t weight = 1024;
  std::uint64_t slice_ns = 0;  // wished for; 0 = default
  WrappingTime vruntime;
  WrappingTime virtual_deadline;      // the tree's key
  WrappingTime subtree_min_vruntime;  // augmentation: the smallest vruntime below and here
  std::int64_t lag = 0;               // virtual time owed to (positive) or by us while not queued
  bool lag_valid = false;

  // Fixed.
  std::uint8_t priority = 0;  // 1..99
  std::uint64_t slice_left_ns = 0;

  // Deadline.
  std::uint64_t dl_runtime_ns = 0, dl_deadline_ns = 0, dl_period_ns = 0;  // parameters
  std::int64_t dl_budget_ns = 0;
  std::uint64_t dl_absolute_ns = 0;  // current deadline; the tree's key
  bool dl_throttled = false;         // budget used up: waits for dl_replenish_ns
  bool dl_new = true;                // no period has started yet
  std::uint64_t dl_replenish_ns = 0;

  base::TreeHook tree_hook;  // fair or deadline
  base::ListHook list_hook;  // fixed

  std::uint64_t total_runtime_ns = 0;
};

}  // namespace core
