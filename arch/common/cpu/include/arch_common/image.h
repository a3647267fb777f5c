// The kernel's own image in physical memory.
#pragma once

#include <cstdint>

namespace arch {

// Where something of the image (code or data) lies. Any context, once boot has filled in the BootInfo.
std::uintptr_t physical_of_image(const void* address);

}  // namespace arch
