// devtmpfs: a tmpfs in which drivers make their nodes (vfs/device.h); every mount of it shows the same
// instance. With it come the devices that are only memory: null, zero, full, random, urandom, and kmsg.
#pragma once

#include "base/result.h"

namespace devtmpfs {

// After vfs::initialize(): registers the type and creates the nodes that drivers have asked for so far.
base::Result<void> initialize();
// Registers the memory devices and kmsg.
base::Result<void> register_memory_devices();

}  // namespace devtmpfs
