// What the guest's CPU has counted since the machine was switched on. Under `-icount shift=0` that is
// executed instructions.
#pragma once
#include <stdint.h>

inline uint64_t ticks() {
  uint32_t low;
  uint32_t high;
  // SAFETY: reads a counter that user programs may read; no memory is touched.
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
  return static_cast<uint64_t>(high) << 32 | low;
}

// An instruction without effect that tools/profile knows: its counts begin anew here.
inline void mark() {
  // SAFETY: a nop with an operand that is not accessed.
  asm volatile("nopl 0x4e4f534d(%%rax)" ::: "memory");
}
