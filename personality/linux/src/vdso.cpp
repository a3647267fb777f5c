#include "linux_abi/vdso.h"

#include "exec_private.h"

namespace linux_abi {

std::atomic<int>& randomize_va_space() {
  static constinit std::atomic<int> value{2};
  return value;
}

// No vDSO yet: programs call the kernel for the time.
Result<std::uintptr_t> map_vdso(core::AddressSpace&) { return 0; }

}  // namespace linux_abi
