// What clocks.h needs of RISC-V.
#pragma once

using uint32_t = __UINT32_TYPE__;
using uint64_t = __UINT64_TYPE__;

namespace vdso {

constexpr long number_clock_gettime = 113, number_clock_getres = 114, number_getcpu = 168,
               number_gettimeofday = 169, number_hwprobe = 258, number_flush_icache = 259;

// SAFETY (below): user code: the system call keeps every register but the result's, the others change
// registers alone.
inline long system_call(long number, long a, const void* b, const void* c = nullptr, long d = 0, long e = 0) {
  register long a0 asm("a0") = a;
  register const void* a1 asm("a1") = b;
  register const void* a2 asm("a2") = c;
  register long a3 asm("a3") = d;
  register long a4 asm("a4") = e;
  register long a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory");
  return a0;
}

inline uint64_t read_counter() {
  uint64_t value;
  asm volatile("rdtime %0" : "=r"(value)::"memory");
  return value;
}

inline void relax() { asm volatile(".4byte 0x0100000f"); }  // PAUSE

}  // namespace vdso
