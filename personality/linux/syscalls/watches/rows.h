// Watching the file system: inotify.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_inotify_init(Context& context);
Result<long> sys_inotify_init1(Context& context, unsigned flags);
Result<long> sys_inotify_add_watch(Context& context, FileDescriptor fd, UserString path, std::uint32_t mask);
Result<long> sys_inotify_rm_watch(Context& context, FileDescriptor fd, int watch);

namespace syscalls::watches {

inline constexpr SyscallRow rows[] = {
    row<number::inotify_init, sys_inotify_init>("inotify_init"),
    row<number::inotify_init1, sys_inotify_init1>("inotify_init1", "IN_CLOEXEC IN_NONBLOCK"),
    row<number::inotify_add_watch, sys_inotify_add_watch>("inotify_add_watch"),
    row<number::inotify_rm_watch, sys_inotify_rm_watch>("inotify_rm_watch"),
};

}  // namespace syscalls::watches

}  // namespace linux_abi
