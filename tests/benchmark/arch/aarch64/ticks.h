// What the guest's CPU has counted since the machine was switched on. Under `-icount shift=0` that is
// executed instructions, in steps of the counter's period.
#pragma once
#include <stdint.h>

inline uint64_t ticks() {
  uint64_t value;
  uint64_t frequency;
  // SAFETY: reads a counter that user programs may read, and its rate; no memory is touched.
  asm volatile("isb\n mrs %0, cntvct_el0\n mrs %1, cntfrq_el0" : "=r"(value), "=r"(frequency));
  return value * (1000000000 / frequency);
}

// An instruction without effect that tools/profile knows: its counts begin anew here.
inline void mark() {
  // SAFETY: moves a constant into the register that is always zero.
  asm volatile("movz xzr, #0x4e4f" ::: "memory");
}
