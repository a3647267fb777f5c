// File systems in memory: tmpfs, ramfs (no limits), the root file system of early start, and memfd.
//
// Directories are stored in the dentry cache itself: a name is a pinned dentry, a directory has no other
// data. So a lookup is one probe of the cache, whether the name exists or not, and costs no memory for names
// that do not. The bytes of files are in the page cache (page_cache/page_cache.h), made with the first write;
// a file of one page needs its page, a PageCache and the inode, nothing else.
//
// Options of tmpfs: size=, nr_blocks=, nr_inodes= (k, m, g, % for size), mode=, uid=, gid=, noswap; huge=,
// inode32, inode64 are accepted and change nothing here.
#pragma once

#include <string_view>

#include "vfs/file.h"
#include "vfs/file_system.h"

namespace tmpfs {

using base::RefPtr;
using base::Result;

extern vfs::FileSystemType tmpfs_type, ramfs_type, rootfs_type;
// Registers the types. Once, at start.
Result<void> initialize();
// An instance by hand, with the options of a mount (the root file system, tests).
Result<RefPtr<vfs::FileSystem>> create(const vfs::FileSystemType& type, std::string_view options);

// Objects on another type made of this one are found by handle (vfs/file_handle.h) too. Once, at start.
void register_handles(const vfs::FileSystemType& type);

// memfd_create(2) and the like: a file without a name in a hidden instance. `name` as shown ("/memfd:name").
enum class Sealing { refused, allowed };
Result<RefPtr<vfs::File>> create_memory_file(std::string_view name, vfs::Mode mode, Sealing sealing,
                                             RefPtr<const vfs::Credentials> credentials,
                                             vfs::OpenFlags flags);
// F_SEAL_*.
inline constexpr unsigned seal_seal = 1, seal_shrink = 2, seal_grow = 4, seal_write = 8,
                          seal_future_write = 16, seal_execute = 32;

}  // namespace tmpfs
