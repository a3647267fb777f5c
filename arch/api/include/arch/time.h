// The counter that measures time, and the one-shot timer of each CPU.
//
// All CPUs read the same steadily growing counter. nanoseconds() is the time since boot in which all
// deadlines of the kernel are expressed; core/time builds the other clocks on it.
#pragma once

#include <cstdint>

namespace arch {

// Raw counter; its rate is counter_frequency() per second.
inline std::uint64_t counter();
// The same counter, read some instructions earlier or later than where it stands: for statistics of a
// thread's own, where waiting for the instructions around would cost more than what they measure.
inline std::uint64_t counter_unordered();
std::uint64_t counter_frequency();

// nanoseconds = ((counter - base) * multiplier) >> shift, the product taken in 128 bits. Fixed once time is
// set up; the vDSO uses the same numbers. vdso_usable is false when user code cannot read this counter (the
// vDSO then makes system calls).
struct CounterScale {
  std::uint64_t base = 0;
  std::uint64_t multiplier = 0;
  unsigned shift = 32;
  bool vdso_usable = false;
};
const CounterScale& counter_scale();

// Since boot. Any context. Never goes back on one CPU, nor across CPUs for ordered events.
std::uint64_t nanoseconds();

// Busy wait: hardware set-up only.
void delay_microseconds(unsigned microseconds);

// Requests core::timer_interrupt() on this CPU at `deadline_ns` in nanoseconds() time, or as soon as possible
// after it; replaces what was requested before. no_timer cancels. Interrupts off.
inline constexpr std::uint64_t no_timer = ~std::uint64_t{0};
void set_timer(std::uint64_t deadline_ns);

// Nanoseconds since 1970 at the moment nanoseconds() was zero, as the battery-backed or paravirtual clock
// tells.
std::uint64_t wall_clock_at_boot_ns();
// Writes the battery-backed clock: best effort.
void set_hardware_clock(std::uint64_t seconds_since_1970);

// Name of the time source as /sys/devices/system/clocksource shows it.
const char* clock_source_name();

}  // namespace arch

#include <arch_impl/time.h>
