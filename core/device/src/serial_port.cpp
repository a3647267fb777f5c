#include "core/device/serial_port.h"

#include <array>

namespace core {

namespace {
constinit std::array<SerialPortDescription, maximum_serial_ports> ports;
constinit unsigned port_count = 0;
}  // namespace

base::Result<void> announce_serial_port(const SerialPortDescription& port) {
  if (port_count == ports.size()) return base::error(base::Errno::enospc);
  ports[port_count++] = port;
  return {};
}

std::span<const SerialPortDescription> serial_ports() { return std::span(ports).first(port_count); }

}  // namespace core
