// Interrupts of a board described by a device tree. Implemented by the interrupt controllers of the
// architecture's boards, one of which is linked (platform/<controller>).
#pragma once

#include "base/result.h"
#include "device_tree/tree.h"

namespace board {

// Finds and starts the controllers. Memory works, nothing else does.
void initialize_interrupt_controllers(const device_tree::Tree& tree);

// The number for core/interrupt of what a node's interrupt() returned. ENXIO: not a controller we drive.
base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt);

}  // namespace board
