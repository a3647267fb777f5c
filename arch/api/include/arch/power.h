// The end of the machine's run.
#pragma once

#include <cstdint>

namespace arch {

// Each tries every way the machine is known to have and, if none works, halts.
[[noreturn]] void power_off();
[[noreturn]] void restart();

// Ends an emulator started for tests with a status (QEMU's isa-debug-exit and friends); returns if there is
// no such device.
void exit_emulator(std::uint8_t status);

}  // namespace arch
