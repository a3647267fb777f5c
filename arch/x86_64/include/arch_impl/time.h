// x86-64: the time-stamp counter.
#pragma once

#include <cstdint>

namespace arch {

inline std::uint64_t counter() {
  std::uint32_t low, high;
  // SAFETY: reads a counter. LFENCE keeps it from being read before earlier loads (AMD and Intel manuals,
  // RDTSC).
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return (std::uint64_t{high} << 32) | low;
}

inline std::uint64_t counter_unordered() {
  std::uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));  // SAFETY: reads a counter
  return (std::uint64_t{high} << 32) | low;
}

}  // namespace arch
