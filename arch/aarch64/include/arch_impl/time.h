// AArch64: the virtual counter of the generic timer.
#pragma once

#include <cstdint>

namespace arch {

inline std::uint64_t counter() {
  std::uint64_t value;
  std::uint64_t depends;
  // SAFETY: reads a counter and the stack. ISB keeps it from being read before earlier instructions (ARM DDI
  // 0487, CNTVCT_EL0); the load, whose address depends on it, from being read after later loads, among them
  // that of a sequence lock's second look.
  asm volatile("isb\n mrs %0, cntvct_el0\n eor %1, %0, %0\n add %1, sp, %1\n ldr xzr, [%1]"
               : "=r"(value), "=&r"(depends)::"memory");
  return value;
}

inline std::uint64_t counter_unordered() {
  std::uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));  // SAFETY: reads a counter
  return value;
}

}  // namespace arch
