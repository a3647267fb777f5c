// The open block special file.
#pragma once

#include "block/volume.h"
#include "vfs/device.h"
#include "vfs/file.h"

namespace block {

// For register_devices(DeviceKind::block, …): opens by number what find_volume() knows.
vfs::DeviceOperations& block_devices();

}  // namespace block
