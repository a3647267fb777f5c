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

enum Clock {
  realtime = 0,
  monotonic = 1,
  monotonic_raw = 4,
  realtime_coarse = 5,
  monotonic_coarse = 6,
  boot_time = 7,
  tai = 11
};

constexpr uint64_t ns_per_second = 1000000000;

// False: ask the kernel.
inline bool read_clock(long clock, uint64_t& ns) {
  const volatile VdsoData& data = vdso_data;
  for (;;) {
    uint32_t sequence = __atomic_load_n(&vdso_data.sequence, __ATOMIC_ACQUIRE);
    if (sequence & 1) {
      relax();
      continue;
    }
    if (!data.usable) return false;
    uint64_t now = read_counter(), base = data.counter_base;
    uint64_t passed = now > base ? now - base : 0;
    uint64_t multiplier = clock == monotonic_raw ? data.raw_multiplier : data.multiplier;
    auto shift = static_cast<unsigned>(data.shift);
    uint64_t value = static_cast<uint64_t>(static_cast<unsigned __int128>(passed) * multiplier >> shift);
    value += clock == monotonic_raw ? data.raw_base_ns : data.monotonic_base_ns;
    switch (clock) {
      case realtime:
      case realtime_coarse:
        value += data.realtime_offset_ns;
        break;
      case boot_time:
        value += data.boot_offset_ns;
        break;
      case tai:
        value += data.realtime_offset_ns + static_cast<uint64_t>(data.tai_offset_ns);
        break;
      default:
        break;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&vdso_data.sequence, __ATOMIC_RELAXED) != sequence) continue;
    ns = value;
    return true;
  }
}

inline bool is_known(long clock) {
  return clock >= 0 && clock < 32 &&
         (1u << clock & (1u << realtime | 1u << monotonic | 1u << monotonic_raw | 1u << realtime_coarse |
                         1u << monotonic_coarse | 1u << boot_time | 1u << tai));
}

inline int clock_gettime(int clock, timespec* result) {
  uint64_t ns;
  if (!is_known(clock) || !read_clock(clock, ns))
    return static_cast<int>(system_call(number_clock_gettime, clock, result));
  result->seconds = static_cast<long>(ns / ns_per_second);
  result->nanoseconds = static_cast<long>(ns % ns_per_second);
  return 0;
}

inline int clock_getres(int clock, timespec* result) {
  // The coarse clocks' answer is the kernel's affair.
  if (!is_known(clock) || clock == realtime_coarse || clock == monotonic_coarse)
    return static_cast<int>(system_call(number_clock_getres, clock, result));
  if (result) {
    result->seconds = 0;
    result->nanoseconds = 1;
  }
  return 0;
}

inline int gettimeofday(timeval* result, timezone* zone) {
  uint64_t ns;
  if (zone || !read_clock(realtime, ns))
    return static_cast<int>(system_call(number_gettimeofday, reinterpret_cast<long>(result), zone));
  if (result) {
    result->seconds = static_cast<long>(ns / ns_per_second);
    result->microseconds = static_cast<long>(ns % ns_per_second / 1000);
  }
  return 0;
}

}  // namespace vdso
