// The kernel's mount of a root file system from a device (root=).
#pragma once

#include "vfs/file_system.h"
#include "vfs/mount.h"

namespace vfs {

// As mount_kernel(); `shown_source` is what /proc/mounts says instead of options.source.
Result<void> mount_root_device(const FileSystemType& type, const MountOptions& options, const Path& target,
                               MountFlags flags, std::string_view shown_source);

}  // namespace vfs
