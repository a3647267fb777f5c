// The platform-level interrupt controller, behind the choice of controllers (platform/aia).
#pragma once

#include "base/result.h"
#include "device_tree/tree.h"

namespace plic {

// ENXIO: the board has none; ENOMEM.
base::Result<void> start(const device_tree::Tree& tree);
// As board::map_interrupt().
base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt);

}  // namespace plic
