// The serial ports that every PC may have, at their traditional places. The driver finds out whether they are
// there.
#include "core/device/serial_port.h"
#include "core/init/init_step.h"
#include "platform/interrupts.h"
#include "port_registers.h"

namespace platform {
namespace {

constinit PortRegisters blocks[] = {PortRegisters(0x3f8), PortRegisters(0x2f8)};
constexpr unsigned isa_lines[] = {4, 3};

base::Result<void> announce_serial_ports() {
  for (unsigned i = 0; i < 2; ++i) {
    core::SerialPortDescription port;
    port.registers = &blocks[i];
    port.interrupt = TRY(isa_interrupt(isa_lines[i]));
    port.line = i;
    TRY(core::announce_serial_port(port));
  }
  return {};
}
INIT_STEP serial_ports_step{"platform.serial_ports", {"interrupts"}, announce_serial_ports, {"buses"}};

}  // namespace
}  // namespace platform
