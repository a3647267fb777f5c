// Addresses for what firmware has left without.
#include "bus.h"
#include "core/log/log.h"

namespace pci {

using core::PciHostDescription;
using core::PciWindow;

namespace {

constexpr std::uint64_t window_unit = 1u << 20, port_window_unit = 4096, page = 4096;

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

PciWindow make_window(std::uint64_t first, std::uint64_t last) {
  return last > first ? PciWindow{first, last - first + 1} : PciWindow{};
}

}  // namespace

PciWindow bridge_memory_window(const Device& bridge) {
  std::uint64_t first = static_cast<std::uint64_t>(bridge.read16(memory_base) & 0xfff0) << 16;
  std::uint64_t last = (static_cast<std::uint64_t>(bridge.read16(memory_limit) & 0xfff0) << 16) | 0xfffff;
  return first ? make_window(first, last) : PciWindow{};  // as after a reset: nobody has opened it
}

PciWindow bridge_prefetch_window(const Device& bridge) {
  std::uint16_t base = bridge.read16(prefetch_base), limit = bridge.read16(prefetch_limit);
  std::uint64_t first = static_cast<std::uint64_t>(base & 0xfff0) << 16;
  std::uint64_t last = (static_cast<std::uint64_t>(limit & 0xfff0) << 16) | 0xfffff;
  if ((base & 15) == 1) {
    first |= static_cast<std::uint64_t>(bridge.read32(prefetch_base_upper)) << 32;
    last |= static_cast<std::uint64_t>(bridge.read32(prefetch_limit_upper)) << 32;
  }
  return first ? make_window(first, last) : PciWindow{};
}

PciWindow bridge_port_window(const Device& bridge) {
  std::uint64_t first = static_cast<std::uint64_t>(bridge.read8(io_base) & 0xf0) << 8;
  std::uint64_t last = (static_cast<std::uint64_t>(bridge.read8(io_limit) & 0xf0) << 8) | 0xfff;
  return first ? make_window(first, last) : PciWindow{};
}

// Where what overlaps `wanted` ends; 0: nothing does. Besides registers that is what other bridges pass on.
std::uint64_t Bus::end_of_conflict(PciWindow wanted, Resource::Kind kind, const Device* bridge) {
  auto overlaps = [&](std::uint64_t first, std::uint64_t size) {
    return size != 0 && wanted.first < first + size && first < wanted.first + wanted.size;
  };
  for (Device& device : devices_) {
    for (const Resource& taken : device.resources_)
      if (taken.kind == kind && taken.address != 0 && overlaps(taken.address, taken.size))
        return taken.address + taken.size;
    bool around = false;
    for (const Device* outer = bridge; outer; outer = outer->parent()) around |= outer == &device;
    if (!device.is_bridge() || around) continue;
    const PciWindow memory[] = {bridge_memory_window(device), bridge_prefetch_window(device)};
    const PciWindow ports[] = {bridge_port_window(device)};
    for (PciWindow window : kind == Resource::Kind::memory ? std::span<const PciWindow>(memory)
                                                           : std::span<const PciWindow>(ports))
      if (overlaps(window.first, window.size)) return window.first + window.size;
  }
  return 0;
}

std::uint64_t Bus::find_free(PciWindow window, std::uint64_t size, Resource::Kind kind,
                             const Device* bridge) {
  if (window.size == 0 || size == 0 || size > window.size) return 0;
  // Memory in whole pages, so that no two devices share one.
  if (kind == Resource::Kind::memory && size < page) size = page;
  std::uint64_t end = window.first + window.size;
  std::uint64_t at = align_up(window.first, size);
  // Each conflict moves past one resource, of which there are finitely many.
  while (at >= window.first && at < end && end - at >= size) {
    std::uint64_t conflict = end_of_conflict({at, size}, kind, bridge);
    if (conflict == 0) return at;
    at = align_up(conflict, size);
  }
  return 0;
}

bool Bus::place_resource(const PciHostDescription& host, Device& device, unsigned i) {
  const Resource& resource = device.resource(i);
  PciWindow ports = host.ports, memory = host.memory,
            large = resource.is_64_bit ? host.memory_64 : PciWindow{};
  if (const Device* bridge = device.parent()) {
    ports = bridge_port_window(*bridge);
    memory = bridge_memory_window(*bridge);
    large = resource.is_64_bit && resource.prefetchable ? bridge_prefetch_window(*bridge) : PciWindow{};
  }
  std::uint64_t address;
  if (resource.kind == Resource::Kind::ports) {
    address = find_free(ports, resource.size, resource.kind, device.parent());
  } else {
    address = find_free(memory, resource.size, resource.kind, device.parent());
    if (!address) address = find_free(large, resource.size, resource.kind, device.parent());
  }
  if (!address) return false;
  device.set_resource_address(i, address);
  return true;
}

void Bus::place_device(const PciHostDescription& host, Device& device) {
  unsigned registers = device.is_bridge() ? 2 : Device::resource_count;
  for (unsigned i = 0; i < registers; ++i) {
    const Resource& resource = device.resource(i);
    if (resource.kind == Resource::Kind::none || resource.address != 0) continue;
    core::PciAddress at = device.address();
    if (place_resource(host, device, i))
      core::log(core::LogLevel::info, "pci {:04x}:{:02x}:{:02x}.{}: register {} placed at {:#x}", at.segment,
                at.bus, at.device, at.function, i, device.resource(i).address);
    else
      core::log(core::LogLevel::warning,
                "pci {:04x}:{:02x}:{:02x}.{}: no address for {:#x} bytes of register {}", at.segment, at.bus,
                at.device, at.function, device.resource(i).size, i);
  }
}

// A bridge whose windows firmware left closed gets room for what is behind it, in the order of size so that
// alignment wastes nothing.
void Bus::place_bridge(const PciHostDescription& host, Device& bridge) {
  std::uint64_t memory = 0, ports = 0, largest = window_unit;
  bool wanting = false;
  for (Device& device : devices_) {
    if (device.host_ != &host || device.address().bus < bridge.secondary_bus() ||
        device.address().bus > bridge.subordinate_bus())
      continue;
    for (const Resource& resource : device.resources_) {
      if (resource.kind == Resource::Kind::none || resource.address != 0) continue;
      wanting = true;
      if (resource.kind == Resource::Kind::ports) ports += resource.size;
      if (resource.kind != Resource::Kind::memory) continue;
      // Twice: whatever the order, alignment costs at most as much again.
      memory += 2 * (resource.size < page ? page : resource.size);
      if (resource.size > largest) largest = resource.size;
    }
  }
  if (!wanting) return;
  PciWindow outer = bridge.parent() ? bridge_memory_window(*bridge.parent()) : host.memory;
  PciWindow outer_ports = bridge.parent() ? bridge_port_window(*bridge.parent()) : host.ports;
  if (memory && bridge_memory_window(bridge).size == 0) {
    std::uint64_t size = align_up(memory, largest);
    PciWindow rest = outer;
    rest.first = align_up(rest.first, largest);
    if (rest.first >= outer.first && rest.first - outer.first < outer.size)
      rest.size = outer.size - (rest.first - outer.first);
    // A power of two aligns itself in find_free().
    std::uint64_t power = largest;
    while (power < size) power *= 2;
    if (std::uint64_t at = find_free(rest, power, Resource::Kind::memory, bridge.parent())) {
      bridge.write16(memory_base, static_cast<std::uint16_t>(at >> 16));
      bridge.write16(memory_limit, static_cast<std::uint16_t>((at + size - 1) >> 16));
    }
  }
  if (ports && bridge_port_window(bridge).size == 0) {
    std::uint64_t size = port_window_unit;
    while (size < ports) size *= 2;
    if (std::uint64_t at = find_free(outer_ports, size, Resource::Kind::ports, bridge.parent())) {
      bridge.write8(io_base, static_cast<std::uint8_t>(at >> 8));
      bridge.write8(io_limit, static_cast<std::uint8_t>((at + size - 1) >> 8));
    }
  }
  bridge.write16(Register::command,
                 static_cast<std::uint16_t>(bridge.read16(Register::command) | command_memory | command_io |
                                            command_bus_master));
}

}  // namespace pci
