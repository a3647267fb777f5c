// The floating-point registers of user code. The kernel itself has no use for the unit, so what is in it
// always belongs to the user thread that ran last; the unit's own "dirty" state tells whether it must be
// saved.
#pragma once

#include <arch_impl/context.h>

namespace arch {

// Of the calling thread: what its registers hold, stored in its state, which it returns. The registers stay
// as they are.
const FloatingPointState& capture_floating_point(ThreadState& state);
// The calling thread goes on with these.
void load_floating_point(ThreadState& state, const FloatingPointState& registers);

}  // namespace arch
