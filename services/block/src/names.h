// Where a volume shows itself: /dev, /sys/block, /sys/class/block. Two forms: src/kernel_only/names.cpp, and
// on the host none.
#pragma once

#include "base/result.h"

namespace block {

class Volume;
base::Result<void> publish_names(Volume& volume);
void withdraw_names(Volume& volume);

}  // namespace block
