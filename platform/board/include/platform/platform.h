// The machine around the CPUs, brought up in two steps.
#pragma once

#include "boot/boot_info.h"

namespace platform {

// Memory works, nothing else does: firmware tables, the interrupt controller, the counter that measures time.
void initialize_early(const boot::BootInfo& info);

}  // namespace platform
