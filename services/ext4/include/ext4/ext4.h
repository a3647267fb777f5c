// ext4, read and write, with what mke2fs of Debian 13 turns on; docs/ext4.md says what is refused.
//
//   mount -t ext4 /dev/vda1 /mnt          options: ro, rw, noload, errors=continue|remount-ro|panic,
//   commit=SECONDS
//
// The parts, from below: BufferCache (metadata blocks in memory), Journal (transactions over them),
// allocators of blocks and inodes, the extent tree of an inode, directories, extended attributes, and on top
// the vfs::Inode and vfs::File of each. File contents go through the page cache and past the journal; they
// are on the disk before the transaction that makes them reachable (ordered mode).
#pragma once

#include "block/volume.h"
#include "vfs/file_system.h"

namespace ext4 {

using base::RefPtr;
using base::Result;

extern vfs::FileSystemType ext4_type;
// Registers the type. Once, at start.
Result<void> initialize();
// For tests and the root file system: a mount without a path. EINVAL: not ext4, or features that we do not
// have; EUCLEAN: damaged; EROFS: only readable, but asked to write; EBUSY: mounted already.
Result<RefPtr<vfs::FileSystem>> mount_volume(RefPtr<block::Volume> volume, std::string_view options,
                                             bool read_only);
// Whether the volume begins with the super block of an ext4 (ext3, ext2) that could be mounted.
bool probe(block::Volume& volume);

}  // namespace ext4
