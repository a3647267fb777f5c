#include "pci/device.h"

namespace pci {

void Device::read_identity() {
  vendor_ = read16(vendor_id);
  device_ = read16(device_id);
  revision_ = read8(Register::revision);
  class_ = read32(Register::revision) >> 8;
  std::uint8_t type = read8(header_type) & 0x7f;
  is_bridge_ = type == header_bridge;
  if (is_bridge_) {
    secondary_ = read8(Register::secondary_bus);
    subordinate_ = read8(Register::subordinate_bus);
  } else if (type == 0) {
    subsystem_vendor_ = read16(subsystem_vendor_id);
    subsystem_ = read16(subsystem_id);
  }
  config_size_ = 256;
  // Only PCI Express functions have the upper part; others answer with all ones or with a copy of the lower.
  if (config_.size() > 256 && find_capability(capability_express)) config_size_ = config_.size();
}

std::optional<unsigned> Device::find_capability(std::uint8_t identifier, unsigned after) const {
  if (!(read16(Register::status) & status_capabilities)) return std::nullopt;
  unsigned at = after ? read8(after + 1) : read8(capabilities);
  // 48 of them fill the space: a longer list runs in a circle.
  for (unsigned steps = 0; steps < 48; ++steps) {
    at &= 0xfc;
    if (at < 0x40) return std::nullopt;
    std::uint8_t found = read8(at);
    if (found == 0xff) return std::nullopt;
    if (found == identifier) return at;
    at = read8(at + 1);
  }
  return std::nullopt;
}

// ---- Base address registers ----

// Writes all ones and sees which bits stick; the function does not decode addresses meanwhile.
void Device::read_resource(unsigned i, unsigned offset) {
  bool is_rom = i == rom_resource;
  std::uint32_t before = read32(offset);
  write32(offset, is_rom ? 0xfffff800u : ~0u);
  std::uint32_t answer = read32(offset);
  write32(offset, before);
  Resource& resource = resources_[i];
  resource = {};
  if (answer == 0 || answer == ~0u) return;
  if (!is_rom && (answer & 1)) {
    std::uint32_t mask = answer & ~3u;
    if (!(mask & 0xffff0000)) mask |= 0xffff0000;  // devices may leave the upper half out
    resource.kind = Resource::Kind::ports;
    resource.address = before & ~3u;
    resource.size = static_cast<std::uint32_t>(~mask + 1);
    return;
  }
  resource.kind = Resource::Kind::memory;
  if (is_rom) {
    resource.address = before & 0xfffff800u;
    resource.size = static_cast<std::uint32_t>(~(answer & 0xfffff800u) + 1);
    resource.prefetchable = true;
    return;
  }
  resource.prefetchable = answer & 8;
  resource.is_64_bit = (answer & 6) == 4;
  std::uint64_t mask = answer & ~std::uint64_t{15}, address = before & ~std::uint64_t{15};
  if (resource.is_64_bit && i + 1 < resource_count) {
    std::uint32_t upper_before = read32(offset + 4);
    write32(offset + 4, ~0u);
    mask |= static_cast<std::uint64_t>(read32(offset + 4)) << 32;
    write32(offset + 4, upper_before);
    address |= static_cast<std::uint64_t>(upper_before) << 32;
  } else {
    resource.is_64_bit = false;
    mask |= 0xffffffffull << 32;
  }
  resource.address = address;
  resource.size = ~mask + 1;
}

void Device::read_resources() {
  std::uint8_t type = read8(header_type) & 0x7f;
  if (type > 1) return;
  std::uint16_t before = read16(Register::command);
  write16(Register::command, static_cast<std::uint16_t>(before & ~(command_io | command_memory)));
  unsigned registers = is_bridge_ ? 2 : resource_count;
  for (unsigned i = 0; i < registers; ++i) {
    read_resource(i, base_address_0 + 4 * i);
    if (resources_[i].is_64_bit) ++i;
  }
  read_resource(rom_resource, is_bridge_ ? bridge_rom_address : rom_address);
  write16(Register::command, before);
}

void Device::set_resource_address(unsigned i, std::uint64_t address) {
  Resource& resource = resources_[i];
  resource.address = address;
  unsigned offset = base_address_0 + 4 * i;
  write32(offset, static_cast<std::uint32_t>(address));
  if (resource.is_64_bit) write32(offset + 4, static_cast<std::uint32_t>(address >> 32));
}

void Device::set_buses(std::uint8_t secondary, std::uint8_t subordinate) {
  secondary_ = secondary;
  subordinate_ = subordinate;
  write8(primary_bus, address_.bus);
  write8(Register::secondary_bus, secondary);
  write8(Register::subordinate_bus, subordinate);
}

void Device::enable() {
  std::uint16_t bits = command_bus_master;
  for (unsigned i = 0; i < resource_count; ++i) {
    if (resources_[i].address == 0) continue;
    if (resources_[i].kind == Resource::Kind::memory) bits |= command_memory;
    if (resources_[i].kind == Resource::Kind::ports) bits |= command_io;
  }
  write16(Register::command, read16(Register::command) | bits);
}

void Device::disable() {
  write16(Register::command, read16(Register::command) & static_cast<std::uint16_t>(~command_bus_master));
}

const char* Device::driver_name() const { return driver_ ? driver_->name() : nullptr; }

}  // namespace pci
