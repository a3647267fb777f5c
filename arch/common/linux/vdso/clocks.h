// The clocks, for user code: runs in programs, with their stack and registers. Only the data page and
// instructions open to everybody. The architecture's vdso.cpp exports the functions under the names that its
// programs expect.
#pragma once

#include "../src/vdso_data.h"
// The architecture's: the types' widths are the same everywhere, these are not.
//   number_clock_gettime, number_clock_getres, number_gettimeofday
//   long system_call(long number, long a, const void* b)
//   uint64_t read_counter(), not before what was read before
//   void relax()
#include "machine.h"

#define EXPORT __attribute__((visibility("default")))

extern "C" {

// One page below the image (vdso.lds).
extern const VdsoData vdso_data __attribute__((visibility("hidden")));

struct timespec {
  long seconds, nanoseconds;
};
struct timeval {
  long seconds, microseconds;
};
struct timezone {
  int minutes_west, dst_time;
};
}

namespace vdso {

constexpr uint64_t ns_per_second = 1000000000;

// False: ask the kernel.
inline bool read_clock(unsigned long clock, uint64_t& ns) {
  const volatile VdsoData& data = vdso_data;
  for (;;) {
    uint32_t sequence = __atomic_load_n(&vdso_data.sequence, __ATOMIC_ACQUIRE);
    if (sequence & 1) [[unlikely]] {
      relax();
      continue;
    }
    if (clock >= 32 || !(data.usable >> clock & 1)) [[unlikely]]
      return false;
    uint64_t now = read_counter(), base = data.counter_base;
    uint64_t passed = now > base ? now - base : 0;
    auto shift = static_cast<unsigned>(data.shift) % 64;
    auto product = static_cast<unsigned __int128>(passed) * data.clocks[clock].multiplier;
    uint64_t value = static_cast<uint64_t>(product >> shift) + data.clocks[clock].base_ns;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&vdso_data.sequence, __ATOMIC_RELAXED) != sequence) [[unlikely]]
      continue;
    ns = value;
    return true;
  }
}

inline int clock_gettime(int clock, timespec* result) {
  uint64_t ns;
  if (!read_clock(static_cast<unsigned>(clock), ns)) [[unlikely]]
    return static_cast<int>(system_call(number_clock_gettime, clock, result));
  result->seconds = static_cast<long>(ns / ns_per_second);
  result->nanoseconds = static_cast<long>(ns % ns_per_second);
  return 0;
}

inline int clock_getres(int clock, timespec* result) {
  // The coarse clocks' answer is the kernel's affair.
  bool is_known = static_cast<unsigned>(clock) < 32 && (known_clocks >> clock & 1);
  if (!is_known || clock == clock_realtime_coarse || clock == clock_monotonic_coarse)
    return static_cast<int>(system_call(number_clock_getres, clock, result));
  if (result) {
    result->seconds = 0;
    result->nanoseconds = 1;
  }
  return 0;
}

inline int gettimeofday(timeval* result, timezone* zone) {
  uint64_t ns;
  if (zone || !read_clock(clock_realtime, ns))
    return static_cast<int>(system_call(number_gettimeofday, reinterpret_cast<long>(result), zone));
  if (result) {
    result->seconds = static_cast<long>(ns / ns_per_second);
    result->microseconds = static_cast<long>(ns % ns_per_second / 1000);
  }
  return 0;
}

}  // namespace vdso
