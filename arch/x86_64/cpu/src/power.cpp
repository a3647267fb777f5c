#include <arch/power.h>

#include <cstdint>

#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/time.h>

#include "core/memory/address.h"
#include "x86_64/power.h"
#include "x86_64/registers.h"

namespace arch {
namespace {

constinit AcpiPower acpi{};
constinit char first_method = 'a';

constexpr std::uint16_t sleep_enable = 1 << 13, sci_enable = 1;

void acpi_restart() {
  if (acpi.reset_space == AcpiPower::ResetSpace::port) {
    out8(static_cast<std::uint16_t>(acpi.reset_address), acpi.reset_value);
  } else if (acpi.reset_space == AcpiPower::ResetSpace::memory) {
    // SAFETY: the firmware's reset register, if it lies in memory that is mapped.
    *core::to_virtual<volatile std::uint8_t>(core::PhysicalAddress(acpi.reset_address)) = acpi.reset_value;
  } else {
    return;
  }
  delay_microseconds(15000);
}

void pci_restart() {
  std::uint8_t control = in8(0xcf9) & ~0x6u;
  out8(0xcf9, control | 2);
  delay_microseconds(50);
  out8(0xcf9, control | 6);
  delay_microseconds(15000);
}

void keyboard_restart() {
  for (unsigned i = 0; i < 10; ++i) {
    for (unsigned wait = 0; wait < 1000 && in8(0x64) & 2; ++wait) delay_microseconds(1);
    out8(0x64, 0xfe);
    delay_microseconds(500);
  }
}

[[noreturn]] void triple_fault() {
  struct [[gnu::packed]] {
    std::uint16_t limit = 0;
    std::uint64_t base = 0;
  } none;
  asm volatile("lidt %0; int3" ::"m"(none));  // SAFETY: the machine is meant to stop here
  halt_forever();
}

}  // namespace

void set_acpi_power(const AcpiPower& power) { acpi = power; }
void set_restart_method(char letter) { first_method = letter; }

void power_off() {
  disable_interrupts();
  stop_other_cpus();
  if (acpi.has_s5 && acpi.control_a) {
    if (acpi.enable_port && !(in16(acpi.control_a) & sci_enable)) {
      out8(acpi.enable_port, acpi.enable_value);
      for (unsigned i = 0; i < 3000 && !(in16(acpi.control_a) & sci_enable); ++i) delay_microseconds(100);
    }
    auto keep = [](std::uint16_t port) {
      return static_cast<std::uint16_t>(in16(port) & ~(7u << 10 | sleep_enable));
    };
    out16(acpi.control_a,
          static_cast<std::uint16_t>(keep(acpi.control_a) | acpi.sleep_type_a | sleep_enable));
    if (acpi.control_b)
      out16(acpi.control_b,
            static_cast<std::uint16_t>(keep(acpi.control_b) | acpi.sleep_type_b | sleep_enable));
    delay_microseconds(100000);
  }
  halt_forever();
}

void restart() {
  disable_interrupts();
  stop_other_cpus();
  switch (first_method) {
    case 't':
      triple_fault();
    case 'k':
      keyboard_restart();
      break;
    case 'p':
      pci_restart();
      break;
    default:
      break;
  }
  acpi_restart();
  keyboard_restart();
  pci_restart();
  triple_fault();
}

void exit_emulator(std::uint8_t status) {
  // QEMU's isa-debug-exit ends with status * 2 + 1.
  out8(0xf4, status);
  delay_microseconds(1000);
}

void halt_forever() {
  for (;;) asm volatile("cli; hlt");  // SAFETY: the end
}

}  // namespace arch
