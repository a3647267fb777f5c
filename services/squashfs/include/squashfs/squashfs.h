// squashfs 4.0: compressed, read only, as mksquashfs makes it.
//
//   mount -t squashfs /dev/vda /mnt
//
// Compressors: gzip, xz, zstd, lz4; lzo and lzma are refused (EINVAL), as are the branch filters of xz (a
// file that needs one is EIO). Fragments, holes, extended attributes and all kinds of inodes are read; the
// export table is not used. Options: errors=continue|panic, threads=… (accepted).
//
// Damage is logged and gives EIO, at mount EINVAL. Compressed blocks are taken apart into buffers of their
// format's size: an image can ask for no more.
#pragma once

#include "block/volume.h"
#include "vfs/file_system.h"

namespace squashfs {

using base::RefPtr;
using base::Result;

extern vfs::FileSystemType squashfs_type;
// Registers the type. Once, at start.
Result<void> initialize();

}  // namespace squashfs
