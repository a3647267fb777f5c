// The page that kernel and vDSO share: written by the one, read by the other.
#pragma once

// Part of the kernel and of the vDSO, which has no headers.

// A clock shows `base_ns` + ((counter - counter_base) * multiplier >> shift).
struct VdsoClockData {
  __UINT64_TYPE__ base_ns, multiplier;
};

// Readers: take `sequence` until it is even, read, and start again if it has changed.
struct VdsoData {
  __UINT32_TYPE__ sequence;
  __UINT32_TYPE__ usable;  // bit n: clock n is here; none when user code cannot read the counter
  __UINT64_TYPE__ counter_base;
  __UINT64_TYPE__ shift;     // below 64
  VdsoClockData clocks[12];  // by number
};

enum VdsoClock {
  clock_realtime = 0,
  clock_monotonic = 1,
  clock_monotonic_raw = 4,
  clock_realtime_coarse = 5,
  clock_monotonic_coarse = 6,
  clock_boot_time = 7,
  clock_tai = 11,
};
constexpr __UINT32_TYPE__ known_clocks =
    1u << clock_realtime | 1u << clock_monotonic | 1u << clock_monotonic_raw | 1u << clock_realtime_coarse |
    1u << clock_monotonic_coarse | 1u << clock_boot_time | 1u << clock_tai;
