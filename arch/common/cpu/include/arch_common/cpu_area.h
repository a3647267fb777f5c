// The areas of the CPUs, as every architecture has them: copies of .percpu, each of which begins with the
// words of the architecture (CpuLocal). What else belongs to a CPU, tables and stacks of traps, the
// architecture keeps beside them (CpuArea).
//
// The areas are made by the boot CPU, one after the other, and are there before their CPU counts; then they
// stay.
#pragma once

#include <arch/cpu.h>
#include <arch_impl/cpu_local.h>

#include "base/result.h"

namespace arch {

// The area of a CPU that has one.
CpuLocal& cpu_local(unsigned cpu);

// Boot CPU, before anything in an area is used: fills the one that the linker script leaves room for. The
// caller sets the register that leads to it.
CpuLocal* fill_boot_cpu_area();

// The area of a further CPU. Thread context.
base::Result<CpuLocal*> allocate_cpu_area(unsigned cpu);
void free_cpu_area(unsigned cpu);

// The CPU is up: cpu_count() includes it from now on. CPUs come up in the order of their numbers.
void mark_cpu_online(unsigned cpu);

}  // namespace arch
