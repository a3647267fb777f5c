// Output before there are drivers, and in a panic: polls the hardware, takes no lock, works from the first
// instruction.
#pragma once

#include <string_view>

namespace arch {

// Writes the bytes as they are, with a carriage return before each line feed.
void early_console_write(std::string_view text);
// Output goes nowhere from now on (no console=ttyS0 or earlycon on the command line).
void early_console_enable(bool enabled);

}  // namespace arch
