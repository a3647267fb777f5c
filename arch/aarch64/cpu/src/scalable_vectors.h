// What context.cpp does with the vectors of the threads that it switches. Interrupts off.
#pragma once

#include <arch_impl/context.h>

#include "aarch64/cpu_area.h"

namespace arch {

// From the registers to `vectors`, and back with the low halves from `unit`. The vectors are live.
void save_vectors(ThreadState& state);
void load_live_vectors(ThreadState& state);
// User code of this CPU may use vectors, or traps.
void allow_vectors(CpuLocal& local, bool allowed);

}  // namespace arch

// From entry.S: a system call of a thread whose vectors are live.
extern "C" void arch_drop_vectors();
