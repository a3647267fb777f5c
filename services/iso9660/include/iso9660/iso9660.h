// ISO 9660, the file system of optical discs, with the extensions Rock Ridge (names, owners, links, nodes,
// deep trees) and Joliet (names in UCS-2). Read only.
//
//   mount -t iso9660 /dev/sr0 /mnt
//
// Rock Ridge comes first where it is there, then Joliet, then plain names in small letters without versions.
// Options: norock, nojoliet, uid=, gid=, mode=, dmode=, map=normal|off, check=, cruft, utf8, iocharset=utf8,
// sbsector=BLOCK, unhide, showassoc, block= (accepted), session= (0 alone).
//
// Files of several extents are read; those compressed by zisofs, and interleaved ones, cannot be opened
// (EOPNOTSUPP, EIO). High Sierra discs are refused. Damage is logged and gives EIO, at mount EINVAL.
#pragma once

#include "block/volume.h"
#include "vfs/file_system.h"

namespace iso9660 {

using base::RefPtr;
using base::Result;

extern vfs::FileSystemType iso9660_type;
// Registers the type. Once, at start.
Result<void> initialize();

}  // namespace iso9660
