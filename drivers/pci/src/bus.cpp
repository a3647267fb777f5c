#include "bus.h"

#include "core/log/log.h"

namespace pci {

using base::Result;
using core::PciAddress;
using core::PciHostDescription;

namespace {
constinit Bus the_bus;
}

Bus& Bus::instance() { return the_bus; }

void register_driver(Driver& driver) { Bus::instance().add_driver(driver); }
void for_each_device(base::FunctionRef<void(Device&)> visit) { Bus::instance().for_each(visit); }

Result<void> Bus::scan(const PciHostDescription& host) {
  core::MutexGuard guard{lock_};
  highest_bus_ = host.first_bus;
  TRY(scan_bus(host, host.first_bus, nullptr, 0));
  // Bridges come before what is behind them: their windows are there when devices look for addresses.
  for (Device& device : devices_) {
    if (device.host_ != &host) continue;
    if (device.is_bridge()) place_bridge(host, device);
    place_device(host, device);
  }
  return {};
}

Result<void> Bus::scan_bus(const PciHostDescription& host, unsigned bus, const Device* parent,
                           unsigned level) {
  for (unsigned device = 0; device < 32; ++device) {
    PciAddress address{host.segment, static_cast<std::uint8_t>(bus), static_cast<std::uint8_t>(device), 0};
    if (host.config->read(address, vendor_id, 2) == 0xffff) continue;
    bool multi_function = host.config->read(address, header_type, 1) & header_multi_function;
    for (unsigned function = 0; function < (multi_function ? 8u : 1u); ++function) {
      address.function = static_cast<std::uint8_t>(function);
      TRY(scan_device(host, address, parent, level));
    }
  }
  return {};
}

Result<void> Bus::scan_device(const PciHostDescription& host, PciAddress address, const Device* parent,
                              unsigned level) {
  std::uint32_t vendor = host.config->read(address, vendor_id, 2);
  if (vendor == 0xffff || vendor == 0) return {};
  auto device = TRY(base::try_make_unique<Device>(*host.config, address));
  device->host_ = &host;
  device->parent_ = parent;
  device->read_identity();
  device->read_resources();
  Device& found = *device.release();  // for ever, on the list
  devices_.push_back(found);
  core::log(core::LogLevel::info, "pci {:04x}:{:02x}:{:02x}.{}: [{:04x}:{:04x}] class {:#08x}",
            address.segment, address.bus, address.device, address.function, found.vendor(), found.device(),
            found.class_code());
  if (found.is_bridge() && level < most_bridge_levels) TRY(scan_bridge(host, found, level));
  return {};
}

// Firmware's bus numbers stay if they make sense; others are given in the order of the search.
Result<void> Bus::scan_bridge(const PciHostDescription& host, Device& bridge, unsigned level) {
  unsigned secondary = bridge.secondary_bus(), subordinate = bridge.subordinate_bus();
  bool numbered = secondary > bridge.address().bus && secondary > highest_bus_ && secondary <= subordinate &&
                  subordinate <= host.last_bus;
  if (!numbered) {
    if (highest_bus_ >= host.last_bus) return {};
    secondary = highest_bus_ + 1;
    // Everything behind must pass while we look for how much that is.
    bridge.set_buses(static_cast<std::uint8_t>(secondary), host.last_bus);
  }
  highest_bus_ = secondary;
  TRY(scan_bus(host, secondary, &bridge, level + 1));
  if (!numbered)
    bridge.set_buses(static_cast<std::uint8_t>(secondary), static_cast<std::uint8_t>(highest_bus_));
  else if (subordinate > highest_bus_)
    highest_bus_ = subordinate;
  return {};
}

void Bus::add_driver(Driver& driver) {
  core::MutexGuard guard{lock_};
  base::verify(driver_count_ < most_drivers, "more PCI drivers than there is room for");
  drivers_[driver_count_++] = &driver;
  for (Device& device : devices_) {
    if (device.driver_ || !driver.matches(device)) continue;
    device.driver_ = &driver;
    if (auto started = driver.start(device); !started) {
      PciAddress at = device.address();
      core::log(core::LogLevel::warning, "pci {:04x}:{:02x}:{:02x}.{}: {} does not start: error {}",
                at.segment, at.bus, at.device, at.function, driver.name(), static_cast<int>(started.error()));
      device.driver_ = nullptr;
    }
  }
}

void Bus::for_each(base::FunctionRef<void(Device&)> visit) {
  core::MutexGuard guard{lock_};
  for (Device& device : devices_) visit(device);
}

}  // namespace pci
