#include "io_apic.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>

#include <array>

#include "core/interrupt/interrupt_domain.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "core/sync/spin_lock.h"
#include "device_vectors.h"
#include "platform/interrupts.h"

namespace platform {
namespace {

using core::InterruptTrigger;

constexpr unsigned most_controllers = 8;
constexpr std::uint32_t masked = 1u << 16, level = 1u << 15, active_low = 1u << 13;

// One chip: an index and a data register.
struct Controller {
  volatile std::uint32_t* registers = nullptr;
  unsigned first_gsi = 0, lines = 0;

  std::uint32_t read(unsigned index) const {
    registers[0] = index;
    return registers[4];
  }
  void write(unsigned index, std::uint32_t value) const {
    registers[0] = index;
    registers[4] = value;
  }
};

struct IsaLine {
  unsigned gsi = 0;
  InterruptTrigger trigger = InterruptTrigger::edge_rising;
};

constinit std::array<Controller, most_controllers> controllers{};
constinit unsigned controller_count = 0;
constinit std::array<IsaLine, 16> isa_lines{};

class IoApicDomain final : public core::InterruptDomain {
 public:
  constexpr IoApicDomain() : InterruptDomain("IO-APIC") {}

  void mask(unsigned gsi) override {
    change_low(gsi, [](std::uint32_t low) { return low | masked; });
  }
  void unmask(unsigned gsi) override {
    change_low(gsi, [](std::uint32_t low) { return low & ~masked; });
  }

  base::Result<void> configure(unsigned gsi, unsigned number, InterruptTrigger trigger,
                               const core::CpuMask& mask) override {
    const Controller* controller = controller_of(gsi);
    if (!controller) return base::error(base::Errno::einval);
    unsigned cpu = mask.first();
    if (cpu >= arch::cpu_count()) return base::error(base::Errno::einval);
    core::SpinGuard<core::IrqSave> guard{lock_};
    unsigned index = 0x10 + 2 * (gsi - controller->first_gsi);
    std::uint32_t low = controller->read(index);
    unsigned vector = low & 0xff;
    if (vector < arch::first_device_vector()) {
      vector = TRY(arch::allocate_device_vector());
      low = vector | masked;
      if (core::is_level(trigger)) low |= level;
      if (trigger == InterruptTrigger::level_low || trigger == InterruptTrigger::edge_falling)
        low |= active_low;
    }
    set_interrupt_of_vector(vector, number);
    controller->write(index + 1, arch::hardware_cpu_id(cpu) << 24);
    controller->write(index, low);
    return {};
  }

  static const Controller* controller_of(unsigned gsi) {
    for (unsigned i = 0; i < controller_count; ++i)
      if (gsi >= controllers[i].first_gsi && gsi < controllers[i].first_gsi + controllers[i].lines)
        return &controllers[i];
    return nullptr;
  }

 private:
  template <typename Change>
  void change_low(unsigned gsi, Change change) {
    const Controller* controller = controller_of(gsi);
    if (!controller) return;
    core::SpinGuard<core::IrqSave> guard{lock_};
    unsigned index = 0x10 + 2 * (gsi - controller->first_gsi);
    controller->write(index, change(controller->read(index)));
  }

  core::SpinLock lock_{"IoApicDomain::lock_"};  // index and data registers go together
};

constinit IoApicDomain domain;

void add_controller(acpi::Table entry) {
  auto address = acpi::field<std::uint32_t>(entry, 4), first = acpi::field<std::uint32_t>(entry, 8);
  if (!address || !first || controller_count == most_controllers) return;
  auto mapped = core::map_device_memory(core::PhysicalAddress(*address), 0x20, arch::CacheType::uncached);
  if (!mapped) return;
  Controller& controller = controllers[controller_count++];
  controller.registers = static_cast<volatile std::uint32_t*>(*mapped);
  controller.first_gsi = *first;
  controller.lines = (controller.read(1) >> 16 & 0xff) + 1;
  for (unsigned line = 0; line < controller.lines; ++line) controller.write(0x10 + 2 * line, masked);
  core::log(core::LogLevel::info, "IO-APIC: lines {} to {}", controller.first_gsi,
            controller.first_gsi + controller.lines - 1);
}

void add_override(acpi::Table entry) {
  auto line = acpi::field<std::uint8_t>(entry, 3);
  auto gsi = acpi::field<std::uint32_t>(entry, 4);
  auto flags = acpi::field<std::uint16_t>(entry, 8);
  if (!line || *line >= isa_lines.size() || !gsi || !flags) return;
  bool low = (*flags & 3) == 3, is_level = (*flags >> 2 & 3) == 3;
  InterruptTrigger trigger = is_level ? (low ? InterruptTrigger::level_low : InterruptTrigger::level_high)
                             : low    ? InterruptTrigger::edge_falling
                                      : InterruptTrigger::edge_rising;
  isa_lines[*line] = {*gsi, trigger};
}

}  // namespace

void initialize_io_apics(acpi::Table madt) {
  for (unsigned line = 0; line < isa_lines.size(); ++line)
    isa_lines[line] = {line, InterruptTrigger::edge_rising};
  acpi::for_each_madt_entry(madt, [](acpi::MadtType type, acpi::Table entry) {
    if (type == acpi::MadtType::io_apic)
      add_controller(entry);
    else if (type == acpi::MadtType::source_override)
      add_override(entry);
  });
  start_device_vectors();
}

base::Result<unsigned> isa_interrupt(unsigned line) {
  if (line >= isa_lines.size() || !IoApicDomain::controller_of(isa_lines[line].gsi))
    return base::error(base::Errno::enxio);
  return domain.map(isa_lines[line].gsi, isa_lines[line].trigger, line);
}

base::Result<unsigned> global_interrupt(unsigned gsi, InterruptTrigger trigger) {
  if (!IoApicDomain::controller_of(gsi)) return base::error(base::Errno::enxio);
  return domain.map(gsi, trigger);
}

}  // namespace platform
