// For the start-up code of the architecture alone: the BootInfo while it is being filled.
#pragma once

#include "boot/boot_info.h"

namespace boot {

BootInfo& boot_info_for_arch_start();

}  // namespace boot
