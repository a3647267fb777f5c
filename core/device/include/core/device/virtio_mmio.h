// Virtio devices that are a window of registers (virtio 1.x, "Virtio Over MMIO"), as a device tree or the
// command line names them. The driver finds out whether a device is behind each.
//
//   platform:  announce_virtio_mmio({registers, interrupt});      before the "buses" milestone
//   driver:    for (const VirtioMmioDescription& window : virtio_mmio_windows()) ...
#pragma once

#include <span>

#include "base/result.h"
#include "core/device/register_block.h"

namespace core {

struct VirtioMmioDescription {
  RegisterBlock* registers = nullptr;  // 0x200 bytes; lives for ever
  unsigned interrupt = 0;              // number for InterruptRegistration
};

inline constexpr unsigned maximum_virtio_mmio_windows = 64;

// ENOSPC beyond maximum_virtio_mmio_windows. During start only, by one thread.
base::Result<void> announce_virtio_mmio(const VirtioMmioDescription& window);
std::span<const VirtioMmioDescription> virtio_mmio_windows();

}  // namespace core
