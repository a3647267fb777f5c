// Starts the serial ports that the platform announced and that answer.
#include <new>

#include "core/init/init_step.h"
#include "core/log/log.h"
#include "uart.h"

namespace serial {
namespace {

constexpr const char* names[core::maximum_serial_ports] = {"ttyS0", "ttyS1", "ttyS2", "ttyS3"};

base::Result<void> start_serial_ports() {
  for (const core::SerialPortDescription& port : core::serial_ports()) {
    if (!Uart::is_present(*port.registers)) continue;
    auto uart = TRY(base::try_make_unique<Uart>(port, names[port.line]));
    TRY(uart->start());
    core::log(core::LogLevel::info, "serial: {} is a 16550, interrupt {}", names[port.line], port.interrupt);
    uart.release();  // for ever: consoles and open files refer to it
  }
  return {};
}
INIT_STEP serial_step{"drivers.serial", {"buses"}, start_serial_ports, {"consoles"}};

}  // namespace
}  // namespace serial
