// Starting with a device tree in memory, as Linux's `Image` protocols do: one reader for every architecture.
#pragma once

#include <span>

#include "base/result.h"
#include "boot/boot_info.h"
#include "device_tree/tree.h"

namespace boot {

// Memory map, initial RAM disk and command line of the BootInfo from the tree's /memory, /reserved-memory and
// /chosen. Text of the command line goes into `text` (cut off where it does not fit). EINVAL: the tree names
// no memory. The blob itself, which lies at physical address `where`, stays reserved.
base::Result<void> read_device_tree(BootInfo& info, const device_tree::Tree& tree, PhysicalRange where,
                                    std::span<char> text);

}  // namespace boot
