// The serial port that the device tree names (PL011, DDI 0183), polled. Firmware has set the speed.
#include "aarch64/early_console.h"

#include <arch/early_console.h>

#include <arch/cpu.h>

namespace arch {
namespace {

constexpr std::uintptr_t data = 0x00, flags = 0x18, control = 0x30;
constexpr std::uint32_t transmit_full = 1 << 5, control_on = 0x301;  // enabled, transmitter, receiver

constinit std::uintptr_t port = 0;
constinit bool enabled = true;

// SAFETY: the registers of the port, mapped where set_early_console() says.
volatile std::uint32_t& port_register(std::uintptr_t offset) {
  return *reinterpret_cast<volatile std::uint32_t*>(port + offset);
}

void put(char c) {
  for (unsigned i = 0; i < 100000 && port_register(flags) & transmit_full; ++i) relax();
  port_register(data) = static_cast<std::uint8_t>(c);
}

}  // namespace

void set_early_console(std::uintptr_t address) {
  port = address;
  port_register(control) = port_register(control) | control_on;
}
void early_console_enable(bool on) { enabled = on; }

void early_console_write(std::string_view text) {
  if (!enabled || !port) return;
  for (char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

}  // namespace arch
