#include "clocks.h"

extern "C" {

EXPORT int __vdso_clock_gettime(int clock, timespec* result) { return vdso::clock_gettime(clock, result); }
EXPORT int __vdso_clock_getres(int clock, timespec* result) { return vdso::clock_getres(clock, result); }
EXPORT int __vdso_gettimeofday(timeval* result, timezone* zone) { return vdso::gettimeofday(result, zone); }

EXPORT long __vdso_time(long* result) {
  uint64_t ns;
  if (!vdso::read_clock(clock_realtime, ns))
    return vdso::system_call(vdso::number_time, reinterpret_cast<long>(result), nullptr);
  auto seconds = static_cast<long>(ns / vdso::ns_per_second);
  if (result) *result = seconds;
  return seconds;
}

// The limit of a descriptor that user code may ask for holds the number of the CPU (and its node above bit
// 12).
EXPORT long __vdso_getcpu(unsigned* cpu, unsigned* node, void*) {
  unsigned limit;
  asm volatile("lsl %1, %0" : "=r"(limit) : "r"(0x7b));  // SAFETY: changes a register alone
  if (cpu) *cpu = limit & 0xfff;
  if (node) *node = limit >> 12;
  return 0;
}

// The names without prefix are the same functions, as weak symbols.
#define ALIAS(name) __attribute__((weak, visibility("default"), alias("__vdso_" #name)))
ALIAS(clock_gettime) int clock_gettime(int, timespec*);
ALIAS(clock_getres) int clock_getres(int, timespec*);
ALIAS(gettimeofday) int gettimeofday(timeval*, timezone*);
ALIAS(time) long time(long*);
ALIAS(getcpu) long getcpu(unsigned*, unsigned*, void*);
}
