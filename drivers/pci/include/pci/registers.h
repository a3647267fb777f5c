// Configuration registers of PCI functions (PCI Local Bus 3.0, chapter 6; PCI-to-PCI Bridge 1.2).
#pragma once

#include <cstdint>

namespace pci {

enum Register : unsigned {
  vendor_id = 0x00,
  device_id = 0x02,
  command = 0x04,
  status = 0x06,
  revision = 0x08,
  class_code = 0x09,  // three bytes: programming interface, sub-class, class
  header_type = 0x0e,
  base_address_0 = 0x10,
  subsystem_vendor_id = 0x2c,
  subsystem_id = 0x2e,
  rom_address = 0x30,
  capabilities = 0x34,
  interrupt_line = 0x3c,
  interrupt_pin = 0x3d,
  // Bridges:
  primary_bus = 0x18,
  secondary_bus = 0x19,
  subordinate_bus = 0x1a,
  io_base = 0x1c,
  io_limit = 0x1d,
  memory_base = 0x20,
  memory_limit = 0x22,
  prefetch_base = 0x24,
  prefetch_limit = 0x26,
  prefetch_base_upper = 0x28,
  prefetch_limit_upper = 0x2c,
  bridge_rom_address = 0x38,
};

inline constexpr std::uint16_t command_io = 1, command_memory = 2, command_bus_master = 4,
                               command_no_line_interrupt = 1u << 10;
inline constexpr std::uint16_t status_capabilities = 1u << 4;
inline constexpr std::uint8_t header_multi_function = 0x80, header_bridge = 1;
inline constexpr std::uint8_t capability_msi = 0x05, capability_vendor = 0x09, capability_express = 0x10,
                              capability_msix = 0x11;
inline constexpr std::uint32_t class_host_bridge = 0x060000, class_pci_bridge = 0x060400;

}  // namespace pci
