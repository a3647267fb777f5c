// The device tree of this machine, for everything that looks for its devices there.
#pragma once

#include "base/result.h"
#include "core/device/register_block.h"
#include "device_tree/tree.h"

namespace board {

// Null: the machine has none.
const device_tree::Tree* tree();

// The registers of a device in memory (its index-th "reg"), for ever. `shift` and `width` are those of the
// device's "reg-shift" and "reg-io-width" in bytes. ENXIO, ENOMEM.
base::Result<core::RegisterBlock*> map_registers(const device_tree::Node& node, std::size_t index = 0);

}  // namespace board
