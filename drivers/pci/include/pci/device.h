// One function on a PCI bus, and what its driver is given of it.
//
//   class MyDriver final : public pci::Driver {
//     MyDriver() : Driver("my") {}
//     bool matches(const pci::Device& device) const override { return device.vendor() == 0x1af4; }
//     base::Result<void> start(pci::Device& device) override;       // EXXX: the device stays without a
//     driver
//   };
//   constinit MyDriver driver;
//   ... pci::register_driver(driver) in an init step after "pci"
//
//   start():  auto registers = TRY(device.map(0));                   // base address register 0, owned
//             device.enable();                                       // decodes addresses, may read memory
//             auto vectors = TRY(device.allocate_interrupts(4));      // MSI-X, else MSI, else the line: 1 to
//             4 InterruptRegistration::request(vectors.number(0), {... .shared = vectors.is_shared()})
//
// A driver keeps what it was given as members of its own objects; nothing else of the machine is reachable
// for it. Devices live for ever (nothing is unplugged yet).
//
// Context: threads that may sleep; config() in any context.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/vector.h"
#include "core/device/pci_host.h"
#include "core/device/register_block.h"
#include "core/interrupt/message_interrupt.h"
#include "core/sync/mutex.h"
#include "pci/registers.h"

namespace pci {

class Driver;
class Device;

// What a base address register describes.
struct Resource {
  enum class Kind : std::uint8_t { none, memory, ports };
  Kind kind = Kind::none;
  bool is_64_bit = false;  // takes the next register as well
  bool prefetchable = false;
  std::uint64_t address = 0;  // 0: nobody has given it one
  std::uint64_t size = 0;
};

// Owns the mapping of a device's registers.
class [[nodiscard]] Mapping {
 public:
  Mapping() = default;
  Mapping(void* memory, std::size_t size) : memory_(memory), registers_(memory, size) {}
  Mapping(Mapping&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), registers_(other.registers_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(registers_, other.registers_);
    return *this;
  }
  ~Mapping();
  core::MemoryRegisters& registers() { return registers_; }
  explicit operator bool() const { return memory_ != nullptr; }

 private:
  void* memory_ = nullptr;
  core::MemoryRegisters registers_;
};

// The interrupts of a device: MSI-X gives as many as asked if the device has them, MSI and the line give one.
// Gone before it: the registrations on its numbers.
class [[nodiscard]] InterruptVectors {
 public:
  InterruptVectors();
  InterruptVectors(InterruptVectors&&) noexcept;
  InterruptVectors& operator=(InterruptVectors&&) noexcept;
  ~InterruptVectors();

  enum class Kind : std::uint8_t { none, line, msi, msix };
  Kind kind() const { return kind_; }
  unsigned count() const { return kind_ == Kind::msix ? static_cast<unsigned>(vectors_.size()) : 1; }
  unsigned number(unsigned vector) const;
  // Lines are shared with other devices; registrations must say so.
  bool is_shared() const { return kind_ == Kind::line; }

 private:
  friend class Device;
  struct Vector;
  Device* device_ = nullptr;
  Kind kind_ = Kind::none;
  unsigned line_ = 0;
  Mapping table_;
  base::Vector<std::unique_ptr<Vector>> vectors_;
};

class Device {
 public:
  Device(core::PciConfigAccess& config, core::PciAddress address) : config_(config), address_(address) {}

  // ---- Identity ----
  core::PciAddress address() const { return address_; }
  std::uint16_t vendor() const { return vendor_; }
  std::uint16_t device() const { return device_; }
  std::uint16_t subsystem_vendor() const { return subsystem_vendor_; }
  std::uint16_t subsystem() const { return subsystem_; }
  std::uint32_t class_code() const { return class_; }
  std::uint8_t revision() const { return revision_; }
  bool is_bridge() const { return is_bridge_; }
  // Buses behind a bridge.
  std::uint8_t secondary_bus() const { return secondary_; }
  std::uint8_t subordinate_bus() const { return subordinate_; }
  const Device* parent() const { return parent_; }
  const core::PciHostDescription* host() const { return host_; }
  const char* driver_name() const;

  // ---- Configuration registers ----
  std::uint8_t read8(unsigned offset) const {
    return static_cast<std::uint8_t>(config_.read(address_, offset, 1));
  }
  std::uint16_t read16(unsigned offset) const {
    return static_cast<std::uint16_t>(config_.read(address_, offset, 2));
  }
  std::uint32_t read32(unsigned offset) const { return config_.read(address_, offset, 4); }
  void write8(unsigned offset, std::uint8_t value) { config_.write(address_, offset, 1, value); }
  void write16(unsigned offset, std::uint16_t value) { config_.write(address_, offset, 2, value); }
  void write32(unsigned offset, std::uint32_t value) { config_.write(address_, offset, 4, value); }
  unsigned config_size() const { return config_size_; }

  // Offset of the first capability with this identifier after `after` (0: of all). Bounded, whatever the
  // device says.
  std::optional<unsigned> find_capability(std::uint8_t identifier, unsigned after = 0) const;

  // ---- Resources ----
  static constexpr unsigned resource_count = 6, rom_resource = 6;
  const Resource& resource(unsigned i) const { return resources_[i]; }
  // The registers behind base address register i, or `size` bytes of it from `offset` on (size 0: to its
  // end). ENXIO: not memory, or without an address; EINVAL: outside of it.
  base::Result<Mapping> map(unsigned i, std::uint64_t offset = 0, std::uint64_t size = 0);
  // Addresses are decoded, and the device may read and write memory.
  void enable();
  void disable();
  base::Result<InterruptVectors> allocate_interrupts(unsigned wanted);
  // What its line would be, if it has one.
  unsigned line_number() const { return read8(interrupt_line); }

  // ---- For the bus ----
  void read_identity();
  void read_resources();
  void set_resource_address(unsigned i, std::uint64_t address);
  void set_buses(std::uint8_t secondary, std::uint8_t subordinate);
  base::ListHook hook;

 private:
  friend class Bus;
  friend class InterruptVectors;
  void read_resource(unsigned i, unsigned offset);
  base::Result<bool> allocate_msix(unsigned wanted, InterruptVectors& vectors);
  base::Result<bool> allocate_msi(InterruptVectors& vectors);

  core::PciConfigAccess& config_;
  const core::PciAddress address_;
  std::uint16_t vendor_ = 0xffff, device_ = 0xffff, subsystem_vendor_ = 0, subsystem_ = 0;
  std::uint32_t class_ = 0;
  std::uint8_t revision_ = 0, secondary_ = 0, subordinate_ = 0;
  bool is_bridge_ = false;
  unsigned config_size_ = 256;
  std::array<Resource, resource_count + 1> resources_{};
  const Device* parent_ = nullptr;
  const core::PciHostDescription* host_ = nullptr;
  Driver* driver_ = nullptr;  // changes under the bus's lock
};

class Driver {
 public:
  explicit constexpr Driver(const char* name) : name_(name) {}
  const char* name() const { return name_; }
  virtual bool matches(const Device& device) const = 0;
  virtual base::Result<void> start(Device& device) = 0;

 protected:
  ~Driver() = default;

 private:
  const char* name_;
};

// Offers the driver every device that has none and matches. For ever. Init step "pci" has found the devices.
void register_driver(Driver& driver);
// By address; thread context.
void for_each_device(base::FunctionRef<void(Device&)> visit);

}  // namespace pci
