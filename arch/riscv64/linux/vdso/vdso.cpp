#include "clocks.h"

extern "C" {

EXPORT int __vdso_clock_gettime(int clock, timespec* result) { return vdso::clock_gettime(clock, result); }
EXPORT int __vdso_clock_getres(int clock, timespec* result) { return vdso::clock_getres(clock, result); }
EXPORT int __vdso_gettimeofday(timeval* result, timezone* zone) { return vdso::gettimeofday(result, zone); }

// User code cannot read the number of its CPU.
EXPORT long __vdso_getcpu(unsigned* cpu, unsigned* node, void* cache) {
  return vdso::system_call(vdso::number_getcpu, reinterpret_cast<long>(cpu), node, cache);
}

// SAFETY (below): numbers that the kernel expects as they are.
EXPORT long __vdso_flush_icache(void* start, void* end, unsigned long flags) {
  return vdso::system_call(vdso::number_flush_icache, reinterpret_cast<long>(start), end,
                           reinterpret_cast<void*>(flags));
}

EXPORT int __vdso_riscv_hwprobe(void* pairs, unsigned long count, unsigned long cpu_bytes,
                                unsigned long* cpus, unsigned flags) {
  return static_cast<int>(vdso::system_call(
      vdso::number_hwprobe, reinterpret_cast<long>(pairs), reinterpret_cast<void*>(count),
      reinterpret_cast<void*>(cpu_bytes), reinterpret_cast<long>(cpus), static_cast<long>(flags)));
}
}
