// Set-up of address translation, for boot and for starting CPUs.
#pragma once

#include <cstdint>

namespace arch {

void set_kernel_root(std::uintptr_t root);
// Every CPU, after enable_cpu_features() and with the kernel's own root active.
void enable_address_space_identifiers();

}  // namespace arch
