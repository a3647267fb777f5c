// PROT_* to the core's protection.
#pragma once

#include <arch/linux_abi.h>

#include "core/memory/address_space.h"
#include "linux_abi/abi/memory.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

inline Result<core::Protection> to_protection(unsigned protection) {
  unsigned guard = arch::linux_guard().protection;
  if (protection & ~(prot_read | prot_write | prot_exec | prot_sem | guard)) return error(Errno::einval);
  // The low three bits are the same.
  auto wanted = static_cast<core::Protection>(protection & (prot_read | prot_write | prot_exec));
  return protection & guard && wanted != core::Protection::none ? wanted | core::Protection::guarded : wanted;
}

}  // namespace linux_abi
