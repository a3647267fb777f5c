// Set-up of address translation, for boot and for starting CPUs.
#pragma once

#include <cstdint>

namespace arch {

void set_kernel_root(std::uintptr_t root);
// The value of satp that translates through `root` in the mode chosen at boot, without an identifier.
std::uint64_t satp_for(std::uintptr_t root);
// Boot, with its own tables active: how many address space identifiers there are.
unsigned count_address_space_bits();

}  // namespace arch
