// Where early output goes: a PL011 serial port.
#pragma once

#include <cstdint>

namespace arch {

// The address of its registers as mapped now.
void set_early_console(std::uintptr_t address);

}  // namespace arch
