// Roots of the page tables.
#pragma once

#include <cstdint>

namespace arch {

// Physical addresses of the kernel's root and of a root without entries.
void set_kernel_root(std::uintptr_t root, std::uintptr_t empty_root);
// This CPU has no user addresses until the next activate_address_space().
void clear_user_root();
std::uintptr_t active_user_root();
// Drops what this CPU has cached for one page, in the active address space or the kernel's half.
void flush_tlb_address(std::uintptr_t address);

}  // namespace arch
