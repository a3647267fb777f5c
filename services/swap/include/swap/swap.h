// Swap areas: a partition or a file with mkswap's header, offered to core/memory as room for pages.
//
//   auto file = vfs::open(…, open_read_write);
//   TRY(swap::enable(std::move(file), flags));      // swapon(2)
//   TRY(swap::disable(file->inode()));              // swapoff(2): everything comes home first
//
// The area stays open, a device claimed, a file kept from changing (Inode::swap_file), for as long as it is
// used. A file's blocks are looked up once; reading and writing pages then asks no file system and allocates
// nothing. /proc/swaps shows the areas.
#pragma once

#include "base/ref.h"
#include "base/result.h"
#include "vfs/file.h"

namespace swap {

using base::Result;

// swapon(2)'s flags.
inline constexpr unsigned prefer = 0x8000, priority_mask = 0x7fff, discard = 0x10000, discard_once = 0x20000,
                          discard_pages = 0x40000;
inline constexpr unsigned known_flags = prefer | priority_mask | discard | discard_once | discard_pages;

// EINVAL: no swap area; EBUSY: in use already; EPERM: too many.
Result<void> enable(base::RefPtr<vfs::File> file, unsigned flags);
// EINVAL: it is none.
Result<void> disable(const vfs::Inode& inode);

}  // namespace swap
