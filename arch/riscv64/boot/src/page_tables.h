// The kernel half of the address space, final.
#pragma once

#include "boot/boot_info.h"

namespace arch {

// Chooses the layout of the kernel half (from `random`; 0: always the same), builds its tables in memory that
// it takes from the map, and makes them active. The one-to-one map is gone afterwards.
void build_kernel_page_tables(boot::BootInfo& info, std::uint64_t random);

}  // namespace arch
