#pragma once

#include "base/result.h"

namespace linux_procfs {

// keys, key-users, sys/kernel/keys/*
base::Result<void> add_key_files();

}  // namespace linux_procfs
