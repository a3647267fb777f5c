#include <arch/power.h>

#include <arch/board.h>
#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/time.h>

#include <cstdint>

#include "aarch64/power_interface.h"
#include "core/log/log.h"

namespace arch {
namespace {

enum class Conduit { none, hypervisor, monitor };
constinit Conduit conduit = Conduit::none;

}  // namespace

void initialize_board_power(const device_tree::Tree& tree) {
  auto node = tree.find_compatible("arm,psci-1.0");
  if (!node) node = tree.find_compatible("arm,psci-0.2");
  if (!node) {
    core::log(core::LogLevel::warning, "power: no PSCI");
    return;
  }
  conduit = node->text("method") == "smc" ? Conduit::monitor : Conduit::hypervisor;
}

std::int64_t power_call(std::uint32_t function, std::uint64_t first, std::uint64_t second,
                        std::uint64_t third) {
  if (conduit == Conduit::none) return -1;
  // SAFETY: names the registers of the call below.
  register std::uint64_t x0 asm("x0") = function;
  register std::uint64_t x1 asm("x1") = first;
  register std::uint64_t x2 asm("x2") = second;
  register std::uint64_t x3 asm("x3") = third;
  // SAFETY: the calling convention of firmware (ARM DEN 0028): registers up to x17 may change.
  if (conduit == Conduit::monitor)
    asm volatile("smc #0"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                   "x12", "x13", "x14", "x15", "x16", "x17", "memory");
  else
    asm volatile("hvc #0"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                   "x12", "x13", "x14", "x15", "x16", "x17", "memory");
  return static_cast<std::int64_t>(x0);
}

void power_off() {
  disable_interrupts();
  stop_other_cpus();
  power_call(psci_system_off);
  halt_forever();
}

void restart() {
  disable_interrupts();
  stop_other_cpus();
  power_call(psci_system_reset);
  halt_forever();
}

// Boards have no such device; semihosting would trap where it is not switched on.
void exit_emulator(std::uint8_t) {}

void halt_forever() {
  for (;;) asm volatile("msr daifset, #15\n wfi" ::: "memory");  // SAFETY: the end
}

}  // namespace arch
