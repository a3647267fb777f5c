// The two protocols by which an x86 loader starts us. Both readers take `at`, which turns a physical address
// into a pointer while boot's own identity map is active, and fill memory map, initrd, RSDP and command line
// of the BootInfo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/function_ref.h"
#include "base/result.h"
#include "boot/boot_info.h"

namespace boot {

using PhysicalReader = base::FunctionRef<const void*(std::uintptr_t physical)>;

// Text of the command line goes into `text` (cut off where it does not fit). EINVAL: not the structure it
// should be.
base::Result<void> read_pvh(BootInfo& info, std::uintptr_t start_info, std::span<char> text,
                            PhysicalReader at);
base::Result<void> read_linux_boot_params(BootInfo& info, std::uintptr_t boot_params, std::span<char> text,
                                          PhysicalReader at);

}  // namespace boot
