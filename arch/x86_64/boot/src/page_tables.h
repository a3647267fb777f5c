// The page tables that the kernel runs on for good.
#pragma once

#include "boot/boot_info.h"

namespace arch {

// Chooses the layout of the kernel half, builds the tables in memory taken from the map (which is updated),
// switches to them and enters the results into `info`. Until then the low 4 GiB are mapped one to one;
// afterwards no more.
void build_kernel_page_tables(boot::BootInfo& info, bool randomise);

}  // namespace arch
