// Serial ports, as the platform describes them to the driver.
//
//   platform:  announce_serial_port({registers, interrupt, 0, 1'843'200});      before the "buses" milestone
//   driver:    for (const SerialPortDescription& port : serial_ports()) ...     from an init step after it
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "core/device/register_block.h"

namespace core {

enum class SerialPortKind : std::uint8_t {
  uart_16550,  // eight registers of 8 bits
  pl011,       // 4 KiB of registers of 32 bits
};

struct SerialPortDescription {
  SerialPortKind kind = SerialPortKind::uart_16550;
  RegisterBlock* registers = nullptr;  // lives for ever
  unsigned interrupt = 0;              // number for InterruptRegistration
  unsigned line = 0;                   // 0 is ttyS0 or ttyAMA0
  std::uint32_t clock_hz = 1'843'200;  // 0: unknown, the speed cannot be changed
};

inline constexpr unsigned maximum_serial_ports = 4;

// ENOSPC beyond maximum_serial_ports. During start only, by one thread.
base::Result<void> announce_serial_port(const SerialPortDescription& port);
std::span<const SerialPortDescription> serial_ports();

}  // namespace core
