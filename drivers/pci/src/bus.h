// All PCI devices of the machine: found once at start, kept for ever.
//
// What firmware set up stays as it is. Bridges without bus numbers get some, and base address registers
// without an address get one from what their host bridge (behind a bridge: the bridge's windows) passes on
// and nobody uses.
//
// Locking: lock_ protects the list and which driver a device has. Drivers start with it held; they start one
// after the other anyway, and may not register drivers from there.
#pragma once

#include "core/sync/mutex.h"
#include "pci/device.h"

namespace pci {

class Bus {
 public:
  constexpr Bus() = default;
  // Finds what is behind a host bridge. ENOMEM leaves what was found before.
  base::Result<void> scan(const core::PciHostDescription& host) EXCLUDES(lock_);
  void add_driver(Driver& driver) EXCLUDES(lock_);
  void for_each(base::FunctionRef<void(Device&)> visit) EXCLUDES(lock_);

  static Bus& instance();

 private:
  static constexpr unsigned most_bridge_levels = 8;
  static constexpr unsigned most_drivers = 32;

  base::Result<void> scan_bus(const core::PciHostDescription& host, unsigned bus, const Device* parent,
                              unsigned level) REQUIRES(lock_);
  base::Result<void> scan_device(const core::PciHostDescription& host, core::PciAddress address,
                                 const Device* parent, unsigned level) REQUIRES(lock_);
  base::Result<void> scan_bridge(const core::PciHostDescription& host, Device& bridge, unsigned level)
      REQUIRES(lock_);
  void place_bridge(const core::PciHostDescription& host, Device& bridge) REQUIRES(lock_);
  void place_device(const core::PciHostDescription& host, Device& device) REQUIRES(lock_);
  bool place_resource(const core::PciHostDescription& host, Device& device, unsigned i) REQUIRES(lock_);
  // The lowest aligned address in the window that overlaps nothing, for something behind `bridge` (null: on
  // the root bus); 0: none.
  std::uint64_t find_free(core::PciWindow window, std::uint64_t size, Resource::Kind kind,
                          const Device* bridge) REQUIRES(lock_);
  std::uint64_t end_of_conflict(core::PciWindow wanted, Resource::Kind kind, const Device* bridge)
      REQUIRES(lock_);

  core::Mutex lock_{"PCI bus"};
  base::IntrusiveList<Device, &Device::hook> devices_ GUARDED_BY(lock_);
  Driver* drivers_[most_drivers] GUARDED_BY(lock_) = {};
  unsigned driver_count_ GUARDED_BY(lock_) = 0;
  unsigned highest_bus_ GUARDED_BY(lock_) = 0;
};

// The addresses that a bridge passes on to its other side, as its registers say; size 0: none.
core::PciWindow bridge_memory_window(const Device& bridge);
core::PciWindow bridge_prefetch_window(const Device& bridge);
core::PciWindow bridge_port_window(const Device& bridge);

}  // namespace pci
