#include "boot/boot_info.h"

#include "boot/boot_info_storage.h"

namespace boot {
namespace {
constinit BootInfo the_info{};
}

const BootInfo& boot_info() { return the_info; }
BootInfo& boot_info_for_arch_start() { return the_info; }

}  // namespace boot
