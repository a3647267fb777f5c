// Watching other programs at work.
#pragma once

#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_ptrace(Context& context, long request, int id, std::uintptr_t address, std::uintptr_t data);
Result<long> sys_seccomp(Context& context, unsigned operation, unsigned flags, UserAddress argument);

namespace syscalls::tracing {

inline constexpr SyscallRow rows[] = {
    row<number::ptrace, sys_ptrace>("ptrace",
                                    "all but SECCOMP_GET_FILTER and SYSCALL_USER_DISPATCH; register "
                                    "sets PRSTATUS FPREGSET X86_XSTATE ARM_TLS ARM_SYSTEM_CALL"),
    row<number::seccomp, sys_seccomp>("seccomp", ""),
};

}  // namespace syscalls::tracing
}  // namespace linux_abi
