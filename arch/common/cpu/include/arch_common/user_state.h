// The registers that only user code uses (floating point, vectors, thread pointers): they are in the
// processor while their thread runs, and in the thread's memory otherwise. What every architecture does alike
// with them is in user_state.cpp: prepare_user_state(), interrupt_user() (arch/context.h),
// freeze_user_state() and thaw_user_state() (arch/linux_trace.h).
//
// An architecture's ThreadState has these members, and the architecture the functions below:
//   unit                the memory; null: the thread never runs user code, or is frozen
//   frozen              the same while a debugger or a signal frame has it: no switch stores into it or loads
//   from it unit_cpu            the CPU whose unit holds a copy of it that is still good user_interruption of
//   interrupt_user(): atomic accesses only
#pragma once

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

using UnitMemory = decltype(ThreadState::unit);

// With the registers of a program that has just begun. ENOMEM.
base::Result<UnitMemory> allocate_unit();

// Interrupts off, for the calling thread:
bool is_current(const ThreadState& state);
// Everything goes to memory; the registers stay as they are.
void save_unit(ThreadState& state);
// Everything comes from memory, and the CPU is noted as the one that has it.
void load_unit(ThreadState& state);

}  // namespace arch
