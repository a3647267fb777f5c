// PCI of the PC: configuration registers in memory where the MCFG table says (PCI Express), else through the
// ports 0xcf8 and 0xcfc.
#include <array>
#include <atomic>

#include "acpi/tables.h"
#include "core/device/pci_host.h"
#include "core/device/register_block.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "core/memory/page.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"
#include "platform/interrupts.h"
#include "x86_64/registers.h"

namespace platform {
namespace {

using core::PciAddress;
using core::PciHostDescription;
using core::PciWindow;

constexpr std::uint64_t bus_span = 1u << 20, function_span = 4096;
constexpr std::uint64_t gib_4 = 1ull << 32, first_fixed_address = 0xfec00000;  // IO-APICs and what follows

constexpr unsigned function_number(PciAddress address) { return address.device * 8u + address.function; }

// One bus is mapped when it is first looked at: all 256 would cost a quarter of a MiB of tables.
class MemoryConfig final : public core::PciConfigAccess {
 public:
  void set_base(std::uint64_t base) { base_ = base; }
  unsigned size() const override { return function_span; }

  std::uint32_t read(PciAddress address, unsigned offset, unsigned width) override {
    core::MemoryRegisters bus = bus_registers(address.bus);
    if (bus.size() == 0) return ~0u;
    unsigned place = function_number(address) * static_cast<unsigned>(function_span) + offset;
    return width == 1 ? bus.read8(place) : width == 2 ? bus.read16(place) : bus.read32(place);
  }
  void write(PciAddress address, unsigned offset, unsigned width, std::uint32_t value) override {
    core::MemoryRegisters bus = bus_registers(address.bus);
    if (bus.size() == 0) return;
    unsigned place = function_number(address) * static_cast<unsigned>(function_span) + offset;
    if (width == 1)
      bus.write8(place, static_cast<std::uint8_t>(value));
    else if (width == 2)
      bus.write16(place, static_cast<std::uint16_t>(value));
    else
      bus.write32(place, value);
  }

 private:
  core::MemoryRegisters bus_registers(unsigned bus) {
    void* mapped = buses_[bus].load(std::memory_order_acquire);
    if (!mapped) {
      auto memory = core::map_device_memory(core::PhysicalAddress(base_ + bus * bus_span), bus_span,
                                            arch::CacheType::uncached);
      if (!memory) return {};
      // Two at once: the later one gives its own back.
      if (buses_[bus].compare_exchange_strong(mapped, *memory, std::memory_order_acq_rel))
        mapped = *memory;
      else
        core::unmap_kernel(*memory);
    }
    return {mapped, bus_span};
  }

  std::uint64_t base_ = 0;
  std::array<std::atomic<void*>, 256> buses_{};
};

class PortConfig final : public core::PciConfigAccess {
 public:
  unsigned size() const override { return 256; }

  std::uint32_t read(PciAddress address, unsigned offset, unsigned width) override {
    core::SpinGuard<core::IrqSave> guard{lock_};
    select(address, offset);
    std::uint16_t port = static_cast<std::uint16_t>(data_port + (offset & 3));
    return width == 1 ? arch::in8(port) : width == 2 ? arch::in16(port) : arch::in32(port);
  }
  void write(PciAddress address, unsigned offset, unsigned width, std::uint32_t value) override {
    core::SpinGuard<core::IrqSave> guard{lock_};
    select(address, offset);
    std::uint16_t port = static_cast<std::uint16_t>(data_port + (offset & 3));
    if (width == 1)
      arch::out8(port, static_cast<std::uint8_t>(value));
    else if (width == 2)
      arch::out16(port, static_cast<std::uint16_t>(value));
    else
      arch::out32(port, value);
  }

 private:
  static constexpr std::uint16_t address_port = 0xcf8, data_port = 0xcfc;
  static void select(PciAddress address, unsigned offset) {
    arch::out32(address_port, 0x80000000u | static_cast<std::uint32_t>(address.bus) << 16 |
                                  function_number(address) << 8 | (offset & 0xfc));
  }
  core::SpinLock lock_{"PCI configuration ports"};  // the two ports go together
};

constinit MemoryConfig memory_config;
constinit PortConfig port_config;

// Without the firmware's byte code (_PRT) only the line register tells the wire: the number of a line of the
// old interrupt controllers, on which the IO-APIC hears the device as well.
base::Result<unsigned> line_interrupt(PciAddress, unsigned, std::uint8_t line) {
  if (line == 0 || line >= 16) return base::error(base::Errno::enxio);
  return global_interrupt(line, core::InterruptTrigger::level_high);
}

// What lies between memory and the fixed devices below 4 GiB, less the configuration registers.
PciWindow free_memory(std::uint64_t config_first, std::uint64_t config_end) {
  std::uint64_t top = 0;
  for (std::uint64_t number = (gib_4 >> core::page_shift); number-- > 0;) {
    if (!core::page_exists(core::page_address(number))) {
      number &= ~std::uint64_t{0x1ff};  // in steps of 2 MiB
      continue;
    }
    top = ((number >> 9) + 1) << 21;
    break;
  }
  std::uint64_t first = config_end > top ? config_end : top;
  if (config_first > top && config_first < first_fixed_address &&
      config_first - top > first_fixed_address - first)
    return {top, config_first - top};
  if (first >= first_fixed_address) return {};
  return {first, first_fixed_address - first};
}

base::Result<void> announce_pci() {
  PciHostDescription host;
  host.line_interrupt = line_interrupt;
  host.ports = {0xc000, 0x4000};
  host.memory_64 = {1ull << 39, 1ull << 38};  // within 40 address bits
  std::uint64_t base = 0;
  if (auto table = acpi::find_table("MCFG")) {
    // Entries of 16 bytes from 44 on: base, segment, first and last bus.
    auto address = acpi::field<std::uint64_t>(*table, 44);
    auto segment = acpi::field<std::uint16_t>(*table, 52);
    auto first = acpi::field<std::uint8_t>(*table, 54), last = acpi::field<std::uint8_t>(*table, 55);
    if (address && segment && first && last && *segment == 0 && *first == 0 && *address % bus_span == 0 &&
        *address != 0) {
      base = *address;
      host.last_bus = *last;
    }
  }
  if (base) {
    memory_config.set_base(base);
    host.config = &memory_config;
    host.memory = free_memory(base, base + (host.last_bus + 1u) * bus_span);
  } else {
    host.config = &port_config;
    host.memory = free_memory(0, 0);
  }
  core::log(core::LogLevel::info, "PCI: configuration registers in {}, free addresses {:#x} to {:#x}",
            base ? "memory" : "ports", host.memory.first, host.memory.first + host.memory.size);
  return core::announce_pci_host(host);
}
INIT_STEP pci_step{"platform.pci", {"interrupts"}, announce_pci, {"buses"}};

}  // namespace
}  // namespace platform
