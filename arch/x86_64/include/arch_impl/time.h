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
  std::uint64_t value;
  // SAFETY: reads a counter. RDTSC clears the upper halves itself: put together here it is one instruction
  // less each time, and every system call reads it twice.
  asm volatile("rdtsc; shlq $32, %%rdx; orq %%rdx, %0" : "=a"(value)::"rdx", "cc");
  return value;
}

}  // namespace arch
