// AArch64: the virtual counter of the generic timer.
#pragma once

#include <cstdint>

namespace arch {

inline std::uint64_t counter() {
  std::uint64_t value;
  // SAFETY: reads a counter. ISB keeps it from being read before earlier instructions (ARM DDI 0487,
  // CNTVCT_EL0).
  asm volatile("isb\n mrs %0, cntvct_el0" : "=r"(value)::"memory");
  return value;
}

}  // namespace arch
