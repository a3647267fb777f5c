// The floating-point and vector registers of user code, in an XSAVE area (or FXSAVE's, on processors without). The kernel itself
// has no use for the unit, so what is in it always belongs to the user thread that ran last.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace arch {

// 64-byte aligned, holding the initial state.
base::Result<std::byte*> allocate_extended_state();
void free_extended_state(std::byte* area);
void reset_extended_state(std::byte* area);

// Interrupts off.
void save_extended_state(std::byte* area);
void restore_extended_state(const std::byte* area);

}  // namespace arch
