// How urgent a thread is, as locks see it: the order in which waiters get a lock and what is lent to its
// owner. Smaller is more urgent.
//
//   level 0        deadline threads, ordered by absolute deadline
//   level 1..99    fixed priority, 99 (most urgent in POSIX) down to 1
//   level 100..139 fair, by nice -20..19
//   level 140      idle policy
#pragma once

#include <compare>
#include <cstdint>

namespace core {

struct Urgency {
  std::uint32_t level = 120;
  std::uint64_t deadline_ns = 0;  // only at level 0

  static constexpr Urgency deadline(std::uint64_t deadline_ns) { return {0, deadline_ns}; }
  static constexpr Urgency fixed(unsigned priority) { return {100 - priority, 0}; }
  static constexpr Urgency fair(int nice) { return {static_cast<std::uint32_t>(120 + nice), 0}; }
  static constexpr Urgency idle() { return {140, 0}; }

  constexpr bool is_deadline() const { return level == 0; }
  constexpr bool is_fixed() const { return level >= 1 && level <= 99; }
  constexpr bool is_real_time() const { return level <= 99; }
  constexpr unsigned fixed_priority() const { return 100 - level; }
  constexpr auto operator<=>(const Urgency&) const = default;
};

}  // namespace core
