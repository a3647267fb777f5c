// O_* as programs know them: architectures number four of the flags differently from the kernel
// (vfs/types.h).
#pragma once

#include "arch/linux_abi.h"
#include "vfs/types.h"

namespace linux_abi {

constexpr vfs::OpenFlags to_open_flags(unsigned flags) {
  vfs::OpenFlags result = flags & ~(arch::linux_open_directory | arch::linux_open_no_follow |
                                    arch::linux_open_direct | arch::linux_open_large_file);
  if (flags & arch::linux_open_directory) result |= vfs::open_directory;
  if (flags & arch::linux_open_no_follow) result |= vfs::open_no_follow;
  if (flags & arch::linux_open_direct) result |= vfs::open_direct;
  if (flags & arch::linux_open_large_file) result |= vfs::open_large_file;
  return result;
}

constexpr unsigned from_open_flags(vfs::OpenFlags flags) {
  unsigned result =
      flags & ~(vfs::open_directory | vfs::open_no_follow | vfs::open_direct | vfs::open_large_file);
  if (flags & vfs::open_directory) result |= arch::linux_open_directory;
  if (flags & vfs::open_no_follow) result |= arch::linux_open_no_follow;
  if (flags & vfs::open_direct) result |= arch::linux_open_direct;
  if (flags & vfs::open_large_file) result |= arch::linux_open_large_file;
  return result;
}

static_assert(to_open_flags(from_open_flags(0x7fffff)) == 0x7fffff);

}  // namespace linux_abi
