// Watching the file system: inotify, fanotify.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_inotify_init(Context& context);
Result<long> sys_inotify_init1(Context& context, unsigned flags);
Result<long> sys_inotify_add_watch(Context& context, FileDescriptor fd, UserString path, std::uint32_t mask);
Result<long> sys_inotify_rm_watch(Context& context, FileDescriptor fd, int watch);
Result<long> sys_fanotify_init(Context& context, unsigned flags, unsigned event_flags);
Result<long> sys_fanotify_mark(Context& context, FileDescriptor fd, unsigned flags, std::uint64_t mask,
                               int directory, UserString path);

namespace syscalls::watches {

inline constexpr SyscallRow rows[] = {
    row<number::inotify_init, sys_inotify_init>("inotify_init"),
    row<number::inotify_init1, sys_inotify_init1>("inotify_init1", "IN_CLOEXEC IN_NONBLOCK"),
    row<number::inotify_add_watch, sys_inotify_add_watch>("inotify_add_watch"),
    row<number::inotify_rm_watch, sys_inotify_rm_watch>("inotify_rm_watch"),
    row<number::fanotify_init, sys_fanotify_init>("fanotify_init",
                                                  "all but ENABLE_AUDIT and REPORT_TARGET_FID (EINVAL)"),
    row<number::fanotify_mark, sys_fanotify_mark>("fanotify_mark",
                                                  "all but FAN_RENAME and FAN_FS_ERROR (EINVAL)"),
};

}  // namespace syscalls::watches

}  // namespace linux_abi
