// FAT12, FAT16 and FAT32 with long names, read and write.
//
//   mount -t vfat /dev/vda1 /mnt
//
// Options: uid=, gid=, umask=, fmask=, dmask=, shortname=lower|win95|winnt|mixed, iocharset=, utf8,
// codepage=437, errors=continue|remount-ro|panic, quiet, showexec, tz=UTC, time_offset=MINUTES, ro, rw.
//
// As on Debian, names are UTF-8 and short ones are read in code page 437; other code pages are refused.
// What FAT cannot hold has Linux's answers: links and nodes are EPERM, owners cannot be changed (EPERM),
// modes but for the write bits silently stay, files end at 4 GiB - 1 (EFBIG), directories at 65536 entries
// (ENOSPC). Times are cut to what is stored: two seconds, the day for access.
//
// Damage that is met is logged, ends the operation with EIO (EUCLEAN at mount), and makes the file system
// read-only (errors=). The dirty bit is set while it is mounted for writing.
#pragma once

#include "block/volume.h"
#include "vfs/file_system.h"

namespace vfat {

using base::RefPtr;
using base::Result;

extern vfs::FileSystemType vfat_type;
// Registers the type. Once, at start.
Result<void> initialize();

}  // namespace vfat
