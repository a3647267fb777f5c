// Host bridges: the roots of PCI buses, as the platform describes them to the bus driver.
//
//   platform:  TRY(announce_pci_host({.config = &access, .last_bus = 255, ...}));   before "buses"
//   driver:    for (const PciHostDescription& host : pci_hosts()) ...
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace core {

// One function's place: bus, device (5 bits), function (3 bits).
struct PciAddress {
  std::uint16_t segment = 0;
  std::uint8_t bus = 0;
  std::uint8_t device = 0;
  std::uint8_t function = 0;
  bool operator==(const PciAddress&) const = default;
};

// The configuration registers behind one host bridge. `width` is 1, 2 or 4 bytes, the offset a multiple of it
// and below size(). Reads of what does not exist give all ones. Any context.
class PciConfigAccess {
 public:
  virtual std::uint32_t read(PciAddress address, unsigned offset, unsigned width) = 0;
  virtual void write(PciAddress address, unsigned offset, unsigned width, std::uint32_t value) = 0;
  // Bytes per function: 256, or 4096 for PCI Express.
  virtual unsigned size() const = 0;

 protected:
  ~PciConfigAccess() = default;
};

// Addresses that the bridge passes on to its buses. `first` is what CPU and base address registers hold, both
// (no translation); size 0: none.
struct PciWindow {
  std::uint64_t first = 0, size = 0;
};

struct PciHostDescription {
  PciConfigAccess* config = nullptr;  // lives for ever
  std::uint16_t segment = 0;
  std::uint8_t first_bus = 0, last_bus = 255;
  // For what firmware has left without addresses: memory below 4 GiB, memory above (64-bit registers), ports.
  PciWindow memory, memory_64, ports;
  // The number for InterruptRegistration of a device's line INTA (pin 1) to INTD on the root bus; `line` is
  // what firmware wrote into its interrupt line register. Null: lines do not work.
  base::Result<unsigned> (*line_interrupt)(PciAddress address, unsigned pin, std::uint8_t line) = nullptr;
};

inline constexpr unsigned maximum_pci_hosts = 8;

// ENOSPC beyond maximum_pci_hosts. During start only, by one thread.
base::Result<void> announce_pci_host(const PciHostDescription& host);
std::span<const PciHostDescription> pci_hosts();

}  // namespace core
