#include "arch_common/image.h"

#include "boot/boot_info.h"

namespace arch {

std::uintptr_t physical_of_image(const void* address) {
  const boot::BootInfo& info = boot::boot_info();
  return reinterpret_cast<std::uintptr_t>(address) - info.kernel_virtual +
         info.kernel_physical.start;  // SAFETY: a number
}

}  // namespace arch
