// The advanced platform-level interrupt controller: lines of devices, which it turns into messages to the
// harts' files, or raises at the harts itself where they have none.
#pragma once

#include "base/result.h"
#include "device_tree/tree.h"

namespace aplic {

// After imsic::start(). ENXIO: the board has none for supervisor mode; ENOMEM.
base::Result<void> start(const device_tree::Tree& tree);
// As board::map_interrupt().
base::Result<unsigned> map_interrupt(const device_tree::InterruptSpecifier& interrupt);

}  // namespace aplic
