// Page faults that a program resolves itself: userfaultfd.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_userfaultfd(Context& context, unsigned flags);

namespace syscalls::user_faults {

inline constexpr SyscallRow rows[] = {
    row<number::userfaultfd, sys_userfaultfd>(
        "userfaultfd",
        "missing and minor faults, write protection of private memory; no EVENT_*, MOVE, POISON"),
};

}  // namespace syscalls::user_faults

}  // namespace linux_abi
