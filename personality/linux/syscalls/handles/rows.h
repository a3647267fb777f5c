// Objects of file systems by handle instead of by name.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_name_to_handle_at(Context& context, int directory, UserString path, UserAddress handle,
                                   UserAddress mount_id, int flags);
Result<long> sys_open_by_handle_at(Context& context, int mount, UserAddress handle, unsigned flags);

namespace syscalls::handles {

inline constexpr SyscallRow rows[] = {
    row<number::name_to_handle_at, sys_name_to_handle_at>("name_to_handle_at",
                                                          "tmpfs, ramfs, devtmpfs; EOPNOTSUPP elsewhere"),
    row<number::open_by_handle_at, sys_open_by_handle_at>("open_by_handle_at"),
};

}  // namespace syscalls::handles

}  // namespace linux_abi
