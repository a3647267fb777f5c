// The PCI host bridge of a board whose configuration registers lie in memory ("pci-host-ecam-generic").
#include <arch/page_attributes.h>

#include "board/board.h"
#include "board/interrupts.h"
#include "core/device/pci_host.h"
#include "core/device/register_block.h"
#include "core/init/init_step.h"
#include "core/memory/kernel_map.h"

namespace board {
namespace {

using core::PciAddress;
using device_tree::Node;

constexpr unsigned bytes_per_function = 4096, bus_shift = 20, device_shift = 15, function_shift = 12;
// 1 MiB of mappings each; boards have few.
constexpr unsigned most_buses = 4;

class MemoryAccess final : public core::PciConfigAccess {
 public:
  constexpr MemoryAccess() = default;
  void start(void* memory, std::size_t size) { registers_ = core::MemoryRegisters(memory, size); }

  std::uint32_t read(PciAddress address, unsigned offset, unsigned width) override {
    unsigned at = place(address) + offset;
    if (at >= registers_.size()) return ~0u;
    return width == 1 ? registers_.read8(at) : width == 2 ? registers_.read16(at) : registers_.read32(at);
  }
  void write(PciAddress address, unsigned offset, unsigned width, std::uint32_t value) override {
    unsigned at = place(address) + offset;
    if (at >= registers_.size()) return;
    if (width == 1)
      registers_.write8(at, static_cast<std::uint8_t>(value));
    else if (width == 2)
      registers_.write16(at, static_cast<std::uint16_t>(value));
    else
      registers_.write32(at, value);
  }
  unsigned size() const override { return bytes_per_function; }

 private:
  static unsigned place(PciAddress address) {
    return static_cast<unsigned>(address.bus << bus_shift | address.device << device_shift |
                                 address.function << function_shift);
  }
  core::MemoryRegisters registers_;
};
constinit MemoryAccess access;

std::optional<Node> host_node() { return tree()->find_compatible("pci-host-ecam-generic"); }

// "interrupt-map": entries of a device's address (three cells), its pin, the controller, the controller's
// unit address and the interrupt there. The mask says which bits of address and pin are compared.
base::Result<unsigned> line_interrupt(PciAddress address, unsigned pin, std::uint8_t) {
  constexpr auto none = base::Errno::enxio;
  constexpr std::size_t child_cells = 4;
  auto node = host_node();
  auto map = node ? node->property("interrupt-map") : std::nullopt;
  auto mask = node ? node->property("interrupt-map-mask") : std::nullopt;
  if (!map || !mask || mask->cell_count() < child_cells) return base::error(none);
  auto device = static_cast<std::uint32_t>(address.bus << 16 | address.device << 11 | address.function << 8);
  std::uint32_t wanted = device & *mask->cell(0), wanted_pin = pin & *mask->cell(3);
  for (std::size_t at = 0; at + child_cells < map->cell_count();) {
    auto controller = tree()->find_phandle(*map->cell(at + child_cells));
    if (!controller) return base::error(none);
    std::size_t unit = controller->cell("#address-cells").value_or(0);
    std::size_t count = controller->cell("#interrupt-cells").value_or(0);
    std::size_t first = at + child_cells + 1 + unit;
    if (unit > 4 || count == 0 || count > 4 || first + count > map->cell_count()) return base::error(none);
    if ((*map->cell(at) & *mask->cell(0)) == wanted && (*map->cell(at + 3) & *mask->cell(3)) == wanted_pin) {
      device_tree::InterruptSpecifier found{.controller = *controller, .cell_count = count};
      for (std::size_t i = 0; i < count; ++i) found.cells[i] = *map->cell(first + i);
      return map_interrupt(found);
    }
    at = first + count;
  }
  return base::error(none);
}

// "ranges": the kind of space in the first of three cells of the bus address, the CPU's address, the size.
void read_windows(const Node& node, core::PciHostDescription& host) {
  auto ranges = node.property("ranges");
  auto parent = node.parent();
  std::size_t parent_cells = parent ? parent->cell("#address-cells").value_or(2) : 2;
  std::size_t entry = 3 + parent_cells + 2;
  if (!ranges || parent_cells > 2) return;
  for (std::size_t at = 0; at + entry <= ranges->cell_count(); at += entry) {
    unsigned space = *ranges->cell(at) >> 24 & 3;
    auto bus = ranges->number(at + 1, 2), cpu = ranges->number(at + 3, parent_cells),
         size = ranges->number(at + 3 + parent_cells, 2);
    if (bus != cpu || !size) continue;  // drivers know no translation; that leaves ports out
    if (space == 2) host.memory = {*bus, *size};
    if (space == 3) host.memory_64 = {*bus, *size};
  }
}

base::Result<void> announce_host() {
  auto node = tree() ? host_node() : std::nullopt;
  auto range = node ? node->registers(0) : std::nullopt;
  if (!range) return {};
  std::size_t size =
      range->size < std::size_t{most_buses} << bus_shift ? range->size : std::size_t{most_buses} << bus_shift;
  access.start(
      TRY(core::map_device_memory(core::PhysicalAddress(range->address), size, arch::CacheType::uncached)),
      size);
  core::PciHostDescription host;
  host.config = &access;
  host.last_bus = static_cast<std::uint8_t>((size >> bus_shift) - 1);
  host.line_interrupt = line_interrupt;
  read_windows(*node, host);
  return core::announce_pci_host(host);
}
INIT_STEP pci_host_step{"platform.pci_host", {"interrupts"}, announce_host, {"buses"}};

}  // namespace
}  // namespace board
