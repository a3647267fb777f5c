// Starts the serial ports that the platform announced and that answer.
#include <new>

#include "base/format.h"

#include "chip_16550.h"
#include "chip_pl011.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "uart.h"

namespace serial {
namespace {

constexpr unsigned name_size = 16;
constinit char names[core::maximum_serial_ports][name_size] = {};

base::Result<void> start_port(const core::SerialPortDescription& port, Chip& chip) {
  base::TextBuffer name{names[port.line]};
  base::format(name, "{}{}", chip.device_prefix(), port.line);
  name.put({"", 1});
  auto uart = TRY(base::try_make_unique<Uart>(port, chip, names[port.line]));
  TRY(uart->start());
  core::log(core::LogLevel::info, "serial: {} is a {}, interrupt {}", names[port.line], chip.name(),
            port.interrupt);
  uart.release();  // for ever: consoles and open files refer to it
  return {};
}

template <typename Kind>
base::Result<void> start_if_present(const core::SerialPortDescription& port) {
  auto chip = TRY(base::try_make_unique<Kind>(port));
  if (!chip->is_present()) return {};
  TRY(start_port(port, *chip));
  chip.release();  // as above
  return {};
}

base::Result<void> start_serial_ports() {
  for (const core::SerialPortDescription& port : core::serial_ports()) {
    switch (port.kind) {
      case core::SerialPortKind::uart_16550:
        TRY(start_if_present<Chip16550>(port));
        break;
      case core::SerialPortKind::pl011:
        TRY(start_if_present<ChipPl011>(port));
        break;
    }
  }
  return {};
}
INIT_STEP serial_step{"drivers.serial", {"buses"}, start_serial_ports, {"consoles"}};

}  // namespace
}  // namespace serial
