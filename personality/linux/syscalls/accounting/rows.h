// File systems counted and named: quotas, of which there are none, and calls of old.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_quotactl(Context& context, unsigned command, UserString device, std::uint32_t id,
                          UserAddress address);
Result<long> sys_quotactl_fd(Context& context, FileDescriptor fd, unsigned command, std::uint32_t id,
                             UserAddress address);
Result<long> sys_ustat(Context& context, std::uint32_t device, UserAddress out);
Result<long> sys_sysfs(Context& context, int option, std::uint64_t argument, UserAddress buffer);
Result<long> sys_vhangup(Context& context);
Result<long> sys_cachestat(Context& context, FileDescriptor fd, UserAddress range, UserAddress out,
                           unsigned flags);

namespace syscalls::accounting {

inline constexpr SyscallRow rows[] = {
    row<number::quotactl, sys_quotactl>("quotactl", "no file system has quotas"),
    row<number::quotactl_fd, sys_quotactl_fd>("quotactl_fd", "no file system has quotas"),
    row<number::ustat, sys_ustat>("ustat"),
    row<number::sysfs, sys_sysfs>("sysfs"),
    row<number::vhangup, sys_vhangup>("vhangup"),
    row<number::cachestat, sys_cachestat>("cachestat", "pages that were thrown out are not remembered"),
};

}  // namespace syscalls::accounting

}  // namespace linux_abi
