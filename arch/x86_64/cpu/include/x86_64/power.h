// What the firmware tables say about switching off and restarting.
#pragma once

#include <cstdint>

namespace arch {

struct AcpiPower {
  std::uint16_t control_a = 0, control_b = 0;        // PM1 control ports, 0: none
  std::uint16_t sleep_type_a = 0, sleep_type_b = 0;  // of state S5, shifted to their place
  std::uint16_t enable_port = 0;                     // SMI command port and value that switch ACPI mode on
  std::uint8_t enable_value = 0;
  bool has_s5 = false;
  enum class ResetSpace : std::uint8_t { none, port, memory } reset_space = ResetSpace::none;
  std::uint64_t reset_address = 0;
  std::uint8_t reset_value = 0;
};
void set_acpi_power(const AcpiPower& power);

// The value of reboot= on the command line: letters as on Linux (a ACPI, k keyboard controller, p PCI, t
// triple fault …) choose the first attempt.
void set_restart_method(char letter);

}  // namespace arch
