// Who a thread is: user and group ids, supplementary groups, capabilities.
#pragma once

#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_getuid(Context& context);
Result<long> sys_geteuid(Context& context);
Result<long> sys_getgid(Context& context);
Result<long> sys_getegid(Context& context);
Result<long> sys_setuid(Context& context, std::uint32_t id);
Result<long> sys_setreuid(Context& context, std::uint32_t real, std::uint32_t effective);
Result<long> sys_setresuid(Context& context, std::uint32_t real, std::uint32_t effective,
                           std::uint32_t saved);
Result<long> sys_getresuid(Context& context, UserOut<std::uint32_t> real, UserOut<std::uint32_t> effective,
                           UserOut<std::uint32_t> saved);
Result<long> sys_setfsuid(Context& context, std::uint32_t id);
Result<long> sys_setgid(Context& context, std::uint32_t id);
Result<long> sys_setregid(Context& context, std::uint32_t real, std::uint32_t effective);
Result<long> sys_setresgid(Context& context, std::uint32_t real, std::uint32_t effective,
                           std::uint32_t saved);
Result<long> sys_getresgid(Context& context, UserOut<std::uint32_t> real, UserOut<std::uint32_t> effective,
                           UserOut<std::uint32_t> saved);
Result<long> sys_setfsgid(Context& context, std::uint32_t id);
Result<long> sys_getgroups(Context& context, int size, UserArray<std::uint32_t> out);
Result<long> sys_setgroups(Context& context, int size, UserArray<std::uint32_t> in);
Result<long> sys_capget(Context& context, UserInOut<CapabilityHeader> header, UserArray<CapabilityData> out);
Result<long> sys_capset(Context& context, UserInOut<CapabilityHeader> header, UserArray<CapabilityData> in);

namespace syscalls::credentials {

inline constexpr SyscallRow rows[] = {
    row<number::getuid, sys_getuid>("getuid"),          row<number::geteuid, sys_geteuid>("geteuid"),
    row<number::getgid, sys_getgid>("getgid"),          row<number::getegid, sys_getegid>("getegid"),
    row<number::setuid, sys_setuid>("setuid"),          row<number::setreuid, sys_setreuid>("setreuid"),
    row<number::setresuid, sys_setresuid>("setresuid"), row<number::getresuid, sys_getresuid>("getresuid"),
    row<number::setfsuid, sys_setfsuid>("setfsuid"),    row<number::setgid, sys_setgid>("setgid"),
    row<number::setregid, sys_setregid>("setregid"),    row<number::setresgid, sys_setresgid>("setresgid"),
    row<number::getresgid, sys_getresgid>("getresgid"), row<number::setfsgid, sys_setfsgid>("setfsgid"),
    row<number::getgroups, sys_getgroups>("getgroups"), row<number::setgroups, sys_setgroups>("setgroups"),
    row<number::capget, sys_capget>("capget"),          row<number::capset, sys_capset>("capset"),
};

}  // namespace syscalls::credentials

}  // namespace linux_abi
