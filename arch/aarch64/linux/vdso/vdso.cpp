#include "clocks.h"

extern "C" {

EXPORT int __kernel_clock_gettime(int clock, timespec* result) { return vdso::clock_gettime(clock, result); }
EXPORT int __kernel_clock_getres(int clock, timespec* result) { return vdso::clock_getres(clock, result); }
EXPORT int __kernel_gettimeofday(timeval* result, timezone* zone) { return vdso::gettimeofday(result, zone); }
}
