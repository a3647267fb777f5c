// The clocks. All are in nanoseconds and readable in any context, interrupt handlers included.
//
//   monotonic_ns()      since boot; never set, only its rate is trimmed (CLOCK_MONOTONIC). The clock of every
//   Deadline. raw_ns()            the same without trimming (CLOCK_MONOTONIC_RAW) boot_ns() monotonic plus
//   the time the machine was suspended (CLOCK_BOOTTIME) realtime_ns()       since 1970 (CLOCK_REALTIME); may
//   jump, see set_realtime tai_ns()            realtime plus the TAI offset (CLOCK_TAI) coarse_*_ns() as of
//   the last timer interrupt or clock read of this CPU's kernel, cheaper by the counter read
//
// CLOCK_MONOTONIC is (counter - base) * multiplier >> shift + offset, all under one sequence lock; adjusting
// the rate moves the base so that the clock itself never jumps. The vDSO's page carries the same numbers
// (ClockData) under the same rule.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace core {

inline constexpr std::uint64_t ns_per_second = 1'000'000'000;
inline constexpr std::uint64_t ns_per_ms = 1'000'000;
inline constexpr std::uint64_t ns_per_us = 1'000;

std::uint64_t monotonic_ns();
std::uint64_t raw_ns();
std::uint64_t boot_ns();
std::uint64_t realtime_ns();
std::uint64_t tai_ns();
std::uint64_t coarse_monotonic_ns();
std::uint64_t coarse_realtime_ns();
// CLOCK_*_COARSE resolution as reported: the interval that is guaranteed while anything runs.
inline constexpr std::uint64_t coarse_resolution_ns = 4'000'000;

// Sets CLOCK_REALTIME. EINVAL if it would lie before the boot (monotonic clock larger than the new time), as
// Linux.
base::Result<void> set_realtime(std::uint64_t ns_since_1970);
// Shifts CLOCK_REALTIME by a signed amount (ADJ_SETOFFSET).
base::Result<void> shift_realtime(std::int64_t ns);
// The time of every timer on CLOCK_REALTIME moves with the clock: called after each set or shift, from thread
// context. At most eight; never removed (timerfd's TFD_TIMER_CANCEL_ON_SET, alarms).
using ClockSetListener = void (*)();
void add_clock_set_listener(ClockSetListener listener);
// Grows with each jump of CLOCK_REALTIME.
std::uint64_t clock_set_count();

// adjtimex(2): the state that user space reads and the part of it that we act on.
struct ClockAdjustment {
  std::int64_t frequency_ppm_16 = 0;   // parts per million, 16 fractional bits; acted on
  std::int64_t slew_remaining_ns = 0;  // adjtime(): applied to CLOCK_REALTIME at once
  std::int64_t offset_ns = 0;          // PLL state: kept for user space
  std::int64_t max_error_us = 16'000'000;
  std::int64_t estimated_error_us = 16'000'000;
  std::int64_t constant = 2;
  std::int64_t tick_us = 10'000;
  std::int32_t status = 0x40;  // STA_UNSYNC
  std::int32_t tai_offset_s = 0;
};
ClockAdjustment clock_adjustment();
// EINVAL outside of +-500 ppm (frequency).
base::Result<void> set_clock_adjustment(const ClockAdjustment& adjustment);

// What the vDSO needs, in one consistent piece. monotonic = monotonic_base_ns + ((counter - counter_base) *
// multiplier >> shift).
struct ClockData {
  std::uint64_t counter_base = 0;
  std::uint64_t multiplier = 0;
  std::uint32_t shift = 0;
  bool usable_by_user = false;
  std::uint64_t monotonic_base_ns = 0;
  std::uint64_t raw_multiplier = 0;
  std::uint64_t raw_base_ns = 0;
  std::uint64_t realtime_offset_ns = 0;  // realtime = monotonic + this
  std::uint64_t boot_offset_ns = 0;
  std::int32_t tai_offset_s = 0;
};
ClockData clock_data();
// Called with the new data after every change, with a raw lock held: copies it into the vDSO page. One; set
// once.
void set_clock_data_listener(void (*listener)(const ClockData&));

// Takes over from arch::nanoseconds() and reads the wall clock. Boot CPU, once arch's time source is
// calibrated. Before, the clocks already run (from arch::nanoseconds()).
void initialize_clocks();

}  // namespace core
