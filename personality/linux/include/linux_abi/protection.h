// PROT_* to the core's protection.
#pragma once

#include "core/memory/address_space.h"
#include "linux_abi/abi/memory.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

inline Result<core::Protection> to_protection(unsigned protection) {
  if (protection & ~(prot_read | prot_write | prot_exec | prot_sem)) return error(Errno::einval);
  // The low three bits are the same.
  return static_cast<core::Protection>(protection & (prot_read | prot_write | prot_exec));
}

}  // namespace linux_abi
