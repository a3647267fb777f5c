// RWF_* of one read or write, as preadv2(2), io_submit(2) and io_uring take them.
#pragma once

#include "linux_abi/abi/file.h"
#include "linux_abi/syscall.h"
#include "vfs/file.h"

namespace linux_abi {

enum class Direction : std::uint8_t { read, write };

// EOPNOTSUPP for unknown ones and for those that the file does not know; EINVAL when they contradict.
inline Result<vfs::IoFlags> checked_io_flags(const vfs::File& file, unsigned flags, Direction direction) {
  constexpr unsigned known = rwf_hipri | rwf_dsync | rwf_sync | rwf_nowait | rwf_append | rwf_noappend;
  if (flags & ~known) return error(Errno::eopnotsupp);
  if ((flags & rwf_append) && (flags & rwf_noappend)) return error(Errno::einval);
  if ((flags & rwf_nowait) && !file.has_trait(vfs::File::no_wait_capable)) return error(Errno::eopnotsupp);
  if (direction == Direction::read && (flags & rwf_append)) return error(Errno::eopnotsupp);
  return flags;  // the values are the same
}

}  // namespace linux_abi
