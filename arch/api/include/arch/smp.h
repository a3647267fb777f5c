// More than one CPU: starting them, and calling each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/function_ref.h"
#include "base/result.h"

namespace arch {

// Starts every CPU that the firmware lists, up to `limit` in all. Each one ends in core::secondary_cpu_main()
// (arch/upcalls.h) with interrupts off and its per-CPU area ready. Called once, in thread context.
void start_secondary_cpus(unsigned limit);

// CPUs the firmware lists (at least 1): what may still come.
unsigned possible_cpu_count();

// Makes `cpu` pass its scheduler's check soon. Any context.
void send_reschedule(unsigned cpu);

// Runs function() on every online CPU whose bit is set in `mask` (bit n of word n/64), this CPU included if
// set, and returns when all are done. On the others it runs in interrupt context: short, no sleeping. May be
// called with interrupts off (calls of others are served while waiting), but not from an interrupt handler or
// with a raw lock that such a function could want.
void call_on_cpus(std::span<const std::uint64_t> mask, base::FunctionRef<void()> function);
void call_on_cpu(unsigned cpu, base::FunctionRef<void()> function);
void call_on_all_cpus(base::FunctionRef<void()> function);

// Panic: the other CPUs stop where they are, if possible with interrupts on; waits a moment for them, never
// long. Any context.
void stop_other_cpus();
// Non-maskable interrupt that makes `cpu` call core::non_maskable_request() (arch/upcalls.h): back traces of
// stuck CPUs.
void send_non_maskable(unsigned cpu);

}  // namespace arch
