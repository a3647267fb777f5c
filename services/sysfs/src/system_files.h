#pragma once

#include "base/result.h"

namespace sysfs {

// devices/system and kernel: what is there at every start.
base::Result<void> add_system_files();

}  // namespace sysfs
