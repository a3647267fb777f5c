// Pointer authentication of user code: the keys, which each program has of its own, and which of them are in
// use. The kernel's own code does without.
#pragma once

#include <cstdint>

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

// A set of keys, as prctl(2) names them (PR_PAC_AP*KEY).
inline constexpr unsigned address_keys = 0xf, generic_key = 0x10;
// Those that the processor has.
unsigned known_pointer_keys();

// The calling thread's. Thread context.
void renew_pointer_keys(ThreadState& state, unsigned which);
void set_enabled_pointer_keys(ThreadState& state, unsigned enabled);
// Interrupts off: for user code from now on.
void load_pointer_keys(const ThreadState& state);

}  // namespace arch
