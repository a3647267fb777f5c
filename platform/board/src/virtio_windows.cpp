// Windows of virtio registers that the board has ("virtio,mmio"); most are empty, which the driver finds out.
#include "board/board.h"
#include "board/interrupts.h"
#include "core/device/virtio_mmio.h"
#include "core/init/init_step.h"

namespace board {
namespace {

base::Result<void> announce(const device_tree::Node& node) {
  auto interrupt = node.interrupt(0);
  if (!interrupt) return base::error(base::Errno::enxio);
  core::VirtioMmioDescription window;
  window.registers = TRY(map_registers(node));
  window.interrupt = TRY(map_interrupt(*interrupt));
  return core::announce_virtio_mmio(window);
}

base::Result<void> announce_virtio_windows() {
  if (!tree()) return {};
  for (device_tree::Node node : tree()->nodes())
    if (node.is_available() && node.is_compatible("virtio,mmio")) TRY(announce(node));
  return {};
}
INIT_STEP virtio_windows_step{"platform.virtio_windows", {"interrupts"}, announce_virtio_windows, {"buses"}};

}  // namespace
}  // namespace board
