// What clocks.h needs of AArch64.
#pragma once

using uint32_t = __UINT32_TYPE__;
using uint64_t = __UINT64_TYPE__;

namespace vdso {

constexpr long number_gettimeofday = 169, number_clock_gettime = 113, number_clock_getres = 114;

// SAFETY (below): user code: the system call clobbers what is listed, the others change registers alone.
inline long system_call(long number, long a, const void* b) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register const void* x1 asm("x1") = b;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
  return x0;
}

inline uint64_t read_counter() {
  uint64_t value, depends;
  // The load, whose address depends on the counter, keeps it from being read after later loads.
  asm volatile("isb\n mrs %0, cntvct_el0\n eor %1, %0, %0\n add %1, sp, %1\n ldr xzr, [%1]"
               : "=r"(value), "=&r"(depends)::"memory");
  return value;
}

inline void relax() { asm volatile("yield"); }

}  // namespace vdso
