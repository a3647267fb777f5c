// The floating-point and vector registers of user code, in an XSAVE area (or FXSAVE's, on processors
// without). The kernel itself has no use for the unit, so what is in it always belongs to the user thread
// that ran last.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace arch {

struct ThreadState;

// Behind the state there is room for the mark that ends it in a signal frame.
inline constexpr std::size_t extended_state_slack = 8;

// 64-byte aligned, holding the initial state.
base::Result<std::byte*> allocate_extended_state();
void free_extended_state(std::byte* area);
void reset_extended_state(std::byte* area);

// Interrupts off.
void save_extended_state(std::byte* area);
void save_whole_extended_state(std::byte* area);
void restore_extended_state(const std::byte* area);

// --- The calling thread's own state, for signal frames and debuggers.

// Stores every component (also those in their initial state) into the thread's area, and returns it. The
// registers stay loaded.
std::byte* capture_extended_state(ThreadState& state);
void reset_user_extended_state(ThreadState& state);

}  // namespace arch
