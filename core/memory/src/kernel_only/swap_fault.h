// A fault on an entry that names a slot of a swap device.
#pragma once

#include "mapper.h"

namespace core {

struct SwapFault {
  static FaultOutcome resolve(AddressSpace& space, Area& area, const EntryPlace& place, Entry seen,
                              FaultAccess access);
};

}  // namespace core
