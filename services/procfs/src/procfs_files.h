// The groups of files of this module; each adds its own.
#pragma once

#include "base/result.h"

namespace procfs {

base::Result<void> add_memory_files();
base::Result<void> add_system_files();
base::Result<void> add_sys_files();

}  // namespace procfs
