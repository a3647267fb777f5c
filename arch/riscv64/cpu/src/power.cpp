#include <arch/power.h>

#include <cstdint>

#include <arch/board.h>
#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/time.h>

#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/memory/kernel_map.h"
#include "riscv64/sbi.h"

namespace arch {
namespace {

// QEMU's and SiFive's test device: a word written there ends the emulator.
constinit volatile std::uint32_t* test_finisher = nullptr;

}  // namespace

void initialize_board_power(const device_tree::Tree& tree) {
  FirmwareIdentity firmware = firmware_identity();
  core::log(core::LogLevel::info, "SBI {}.{}, implementation {} version {:#x}",
            firmware.specification >> 24 & 0x7f, firmware.specification & 0xffffff, firmware.implementation,
            firmware.implementation_version);
  auto node = tree.find_compatible("sifive,test0");
  auto range = node ? node->registers(0) : std::nullopt;
  if (!range) return;
  auto mapped =
      core::map_device_memory(core::PhysicalAddress(range->address), range->size, CacheType::uncached);
  // SAFETY: the device's first register, 32 bits wide.
  if (mapped) test_finisher = static_cast<volatile std::uint32_t*>(*mapped);
}

void power_off() {
  disable_interrupts();
  stop_other_cpus();
  reset_system(ResetKind::power_off);
  halt_forever();
}

void restart() {
  disable_interrupts();
  stop_other_cpus();
  reset_system(ResetKind::cold_reboot);
  reset_system(ResetKind::warm_reboot);
  halt_forever();
}

void exit_emulator(std::uint8_t status) {
  if (!test_finisher) return;
  // "Fail" comes with a number, which becomes QEMU's own status: odd, as on machines with a debug exit port.
  constexpr std::uint32_t pass = 0x5555, fail = 0x3333;
  *test_finisher = status == 0 ? pass : fail | (std::uint32_t{status} * 2 + 1) << 16;
  delay_microseconds(1000);
}

void halt_forever() {
  disable_interrupts();
  for (;;) asm volatile("wfi");  // SAFETY: the end
}

}  // namespace arch
