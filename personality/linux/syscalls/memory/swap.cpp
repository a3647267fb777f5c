// swapon(2), swapoff(2)
#include "swap/swap.h"

#include "linux_abi/path_start.h"
#include "syscalls/memory/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

Result<long> sys_swapon(Context& context, UserString path_argument, unsigned flags) {
  if (flags & ~swap::known_flags) return error(Errno::einval);
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  PathText text;
  auto file = TRY(vfs::open(caller_of(context.task), nullptr, TRY(text.read(path_argument)),
                            {.flags = vfs::open_read_write}));
  TRY(swap::enable(std::move(file), flags));
  return 0;
}

Result<long> sys_swapoff(Context& context, UserString path_argument) {
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  PathText text;
  auto file = TRY(vfs::open(caller_of(context.task), nullptr, TRY(text.read(path_argument)),
                            {.flags = vfs::open_read_write}));
  TRY(swap::disable(file->inode()));
  return 0;
}

}  // namespace linux_abi
