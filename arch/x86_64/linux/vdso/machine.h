// What clocks.h needs of x86-64.
#pragma once

using uint32_t = __UINT32_TYPE__;
using uint64_t = __UINT64_TYPE__;

namespace vdso {

constexpr long number_gettimeofday = 96, number_time = 201, number_clock_gettime = 228,
               number_clock_getres = 229;

// SAFETY (below): user code: the system call clobbers what is listed, the others change registers alone.
inline long system_call(long number, long a, const void* b) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
  return result;
}

inline uint64_t read_counter() {
  uint32_t low, high;
  asm volatile("lfence\n rdtsc" : "=a"(low), "=d"(high)::"memory");
  return uint64_t{high} << 32 | low;
}

inline void relax() { asm volatile("pause"); }

}  // namespace vdso
