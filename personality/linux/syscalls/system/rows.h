// The machine as a whole: names, figures, randomness, power.
#pragma once

#include "linux_abi/abi/file.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_uname(Context& context, UserOut<Utsname> out);
Result<long> sys_sethostname(Context& context, UserBuffer name, int length);
Result<long> sys_setdomainname(Context& context, UserBuffer name, int length);
Result<long> sys_sysinfo(Context& context, UserOut<Sysinfo> out);
Result<long> sys_getrandom(Context& context, UserAddress to, std::size_t size, unsigned flags);
Result<long> sys_reboot(Context& context, std::uint32_t magic1, std::uint32_t magic2, std::uint32_t command);
Result<long> sys_syslog(Context& context, int operation, UserAddress buffer, int length);

namespace syscalls::system {

inline constexpr SyscallRow rows[] = {
    row<number::uname, sys_uname>("uname"),
    row<number::sethostname, sys_sethostname>("sethostname"),
    row<number::setdomainname, sys_setdomainname>("setdomainname"),
    row<number::sysinfo, sys_sysinfo>("sysinfo"),
    row<number::getrandom, sys_getrandom>("getrandom"),
    row<number::reboot, sys_reboot>("reboot", "RESTART RESTART2 HALT POWER_OFF CAD_ON CAD_OFF"),
    row<number::syslog, sys_syslog>("syslog"),
};

}  // namespace syscalls::system

}  // namespace linux_abi
