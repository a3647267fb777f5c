#include "platform/platform.h"

#include "acpi/tables.h"
#include "core/init/command_line.h"
#include "core/log/log.h"
#include "core/memory/kernel_map.h"
#include "io_apic.h"
#include "x86_64/power.h"
#include "x86_64/smp.h"
#include "x86_64/time.h"

namespace platform {
namespace {

void add_cpus() {
  auto madt = acpi::find_table("APIC");
  if (!madt) return;
  constexpr std::uint32_t enabled = 1;
  acpi::for_each_madt_entry(*madt, [](acpi::MadtType type, acpi::Table entry) {
    if (type == acpi::MadtType::local_apic && entry.size() >= 8) {
      if (*acpi::field<std::uint32_t>(entry, 4) & enabled)
        arch::add_possible_cpu(*acpi::field<std::uint8_t>(entry, 3));
    } else if (type == acpi::MadtType::local_x2apic && entry.size() >= 16) {
      if (*acpi::field<std::uint32_t>(entry, 8) & enabled)
        arch::add_possible_cpu(*acpi::field<std::uint32_t>(entry, 4));
    }
  });
}

std::uint16_t prepare_power() {
  if (auto method = core::command_line().get("reboot"); method && !method->empty()) {
    // Letters may be separated by commas: reboot=w,a
    for (char letter : *method)
      if (letter == 'a' || letter == 'k' || letter == 'p' || letter == 't') arch::set_restart_method(letter);
  }
  auto table = acpi::find_table("FACP");
  auto fadt = table ? acpi::read_fadt(*table) : std::nullopt;
  if (!fadt) return 0;
  arch::AcpiPower power;
  power.control_a = fadt->pm1a_control;
  power.control_b = fadt->pm1b_control;
  power.enable_port = static_cast<std::uint16_t>(fadt->smi_command);
  power.enable_value = fadt->acpi_enable;
  if (auto dsdt = acpi::find_table("DSDT")) {
    if (auto types = acpi::find_s5(*dsdt)) {
      power.sleep_type_a = static_cast<std::uint16_t>(types->a << 10);
      power.sleep_type_b = static_cast<std::uint16_t>(types->b << 10);
      power.has_s5 = true;
    }
  }
  using Space = arch::AcpiPower::ResetSpace;
  power.reset_space = fadt->reset_space == 0   ? Space::memory
                      : fadt->reset_space == 1 ? Space::port
                                               : Space::none;
  power.reset_address = fadt->reset_address;
  power.reset_value = fadt->reset_value;
  arch::set_acpi_power(power);
  return fadt->pm_timer;
}

const volatile void* map_hpet() {
  auto table = acpi::find_table("HPET");
  auto address = table ? acpi::read_hpet(*table) : std::nullopt;
  if (!address) return nullptr;
  auto mapped = core::map_device_memory(core::PhysicalAddress(*address), 0x400, arch::CacheType::uncached);
  return mapped ? *mapped : nullptr;
}

}  // namespace

void initialize_early(const boot::BootInfo& info) {
  acpi::initialize(info.acpi_rsdp);
  add_cpus();
  std::uint16_t pm_timer = prepare_power();
  arch::initialize_interrupt_controller();
  if (auto madt = acpi::find_table("APIC")) initialize_io_apics(*madt);
  arch::initialize_time(map_hpet(), pm_timer);
}

}  // namespace platform
