// The calling thread's floating-point registers.
#pragma once

#include <arch_impl/context.h>

namespace arch {

void capture_floating_point(ThreadState& state, FloatingPointState& to);
void replace_floating_point(ThreadState& state, const FloatingPointState& from);

}  // namespace arch
