#pragma once

#include "vfs/file.h"
#include "vfs/inode.h"

namespace devtmpfs {

// /dev/kmsg: the kernel log, one record for each read.
base::Result<base::RefPtr<vfs::File>> open_kmsg(const vfs::OpenRequest& request);

}  // namespace devtmpfs
