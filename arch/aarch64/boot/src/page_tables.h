// The page tables that the kernel runs on for good.
#pragma once

#include "boot/boot_info.h"

namespace arch {

// Chooses the layout of the kernel half, builds the tables in memory taken from the map (which is updated),
// switches to them and enters the results into `info`. Until then the identity map is active; afterwards no
// more. `console` is the physical address of the serial port for early output, 0: none.
void build_kernel_page_tables(boot::BootInfo& info, bool randomise, std::uintptr_t console);

}  // namespace arch
