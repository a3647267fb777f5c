// RISC-V: the time counter.
#pragma once

#include <cstdint>

namespace arch {

inline std::uint64_t counter() {
  std::uint64_t value;
  asm volatile("rdtime %0" : "=r"(value)::"memory");  // SAFETY: reads a counter
  return value;
}

inline std::uint64_t counter_unordered() { return counter(); }

}  // namespace arch
