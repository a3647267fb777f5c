#include "core/device/virtio_mmio.h"

#include <array>

namespace core {

namespace {
constinit std::array<VirtioMmioDescription, maximum_virtio_mmio_windows> windows;
constinit unsigned window_count = 0;
}  // namespace

base::Result<void> announce_virtio_mmio(const VirtioMmioDescription& window) {
  if (window_count == windows.size()) return base::error(base::Errno::enospc);
  windows[window_count++] = window;
  return {};
}

std::span<const VirtioMmioDescription> virtio_mmio_windows() {
  return std::span(windows).first(window_count);
}

}  // namespace core
