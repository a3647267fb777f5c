// The one point in time, for each CPU, at which the scheduler wants to look again: the end of a slice or a
// budget. Kept beside the timers because both share the CPU's one hardware timer.
#pragma once

#include <cstdint>

namespace core {

inline constexpr std::uint64_t no_scheduler_event = ~std::uint64_t{0};

// Interrupts off. For this CPU, in arch::nanoseconds(); replaces what was set before.
void set_scheduler_event(std::uint64_t ns);
// Supplied by core/sched: the time has come. Hard interrupt.
void scheduler_event();
// Interrupts off. A timer may have been put on this CPU by another one, whose reschedule request brought us
// here.
void check_timer_program();

}  // namespace core
