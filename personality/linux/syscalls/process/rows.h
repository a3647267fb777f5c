// Processes and threads: identity, groups, birth, exec, end, waiting, limits, prctl.
#pragma once

#include "linux_abi/abi/process.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/access_control.h"
#include "linux_abi/path_start.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_getpid(Context& context);
Result<long> sys_gettid(Context& context);
Result<long> sys_getppid(Context& context);
Result<long> sys_set_tid_address(Context& context, UserAddress address);
Result<long> sys_setpgid(Context& context, int pid, int group);
Result<long> sys_getpgid(Context& context, int pid);
Result<long> sys_getpgrp(Context& context);
Result<long> sys_getsid(Context& context, int pid);
Result<long> sys_setsid(Context& context);
Result<long> sys_fork(Context& context);
Result<long> sys_vfork(Context& context);
Result<long> sys_clone(Context& context, std::uint64_t flags, UserAddress stack, UserAddress parent_tid,
                       std::uint64_t fourth, std::uint64_t fifth);
Result<long> sys_clone3(Context& context, UserAddress address, std::size_t size);
Result<long> sys_execve(Context& context, UserString path, UserAddress arguments, UserAddress environment);
Result<long> sys_execveat(Context& context, int directory, UserString path, UserAddress arguments,
                          UserAddress environment, unsigned flags);
Result<long> sys_exit(Context& context, int status);
Result<long> sys_exit_group(Context& context, int status);
Result<long> sys_wait4(Context& context, int pid, UserOut<int> status, unsigned options,
                       UserOut<Rusage> usage);
Result<long> sys_waitid(Context& context, WaitId kind, int id, UserOut<SigInfo> information, unsigned options,
                        UserOut<Rusage> usage);
Result<long> sys_pidfd_open(Context& context, int id, unsigned flags);
Result<long> sys_pidfd_send_signal(Context& context, FileDescriptor fd, int number,
                                   UserIn<SigInfo> information, unsigned flags);
Result<long> sys_pidfd_getfd(Context& context, FileDescriptor fd, int target_number, unsigned flags);
Result<long> sys_prlimit64(Context& context, int pid, Resource resource, UserIn<Rlimit> wanted,
                           UserOut<Rlimit> old);
Result<long> sys_getrlimit(Context& context, Resource resource, UserOut<Rlimit> out);
Result<long> sys_setrlimit(Context& context, Resource resource, UserIn<Rlimit> in);
Result<long> sys_getrusage(Context& context, RusageWho who, UserOut<Rusage> out);
Result<long> sys_times(Context& context, UserOut<Tms> out);
Result<long> sys_personality(Context& context, std::uint32_t wanted);
Result<long> sys_prctl(Context& context, Prctl operation, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                       std::uint64_t d);
Result<long> sys_unshare(Context& context, std::uint64_t flags);
Result<long> sys_setns(Context& context, FileDescriptor fd, int kind);
Result<long> sys_kcmp(Context& context, int first_id, int second_id, int kind, std::uint64_t first_index,
                      std::uint64_t second_index);
Result<long> sys_arch_prctl(Context& context, int operation, std::uintptr_t argument);

namespace syscalls::process {

inline constexpr SyscallRow rows[] = {
    row<number::getpid, sys_getpid>("getpid"),
    row<number::gettid, sys_gettid>("gettid"),
    row<number::getppid, sys_getppid>("getppid"),
    row<number::set_tid_address, sys_set_tid_address>("set_tid_address"),
    row<number::setpgid, sys_setpgid>("setpgid"),
    row<number::getpgid, sys_getpgid>("getpgid"),
    row<number::getpgrp, sys_getpgrp>("getpgrp"),
    row<number::getsid, sys_getsid>("getsid"),
    row<number::setsid, sys_setsid>("setsid"),
    row<number::fork, sys_fork>("fork"),
    row<number::vfork, sys_vfork>("vfork"),
    row<number::clone, sys_clone>("clone", "all but the CLONE_NEW* namespaces (EINVAL)"),
    row<number::clone3, sys_clone3>("clone3",
                                    "all but the CLONE_NEW* namespaces and CLONE_INTO_CGROUP (EINVAL)"),
    row<number::execve, sys_execve>("execve", "ELF64 static, dynamic, PIE; #! scripts"),
    row<number::execveat, sys_execveat>("execveat", "AT_EMPTY_PATH AT_SYMLINK_NOFOLLOW"),
    row<number::exit, sys_exit>("exit"),
    row<number::exit_group, sys_exit_group>("exit_group"),
    row<number::wait4, sys_wait4>("wait4"),
    row<number::waitid, sys_waitid>("waitid", "P_ALL P_PID P_PGID P_PIDFD; all options"),
    row<number::pidfd_open, sys_pidfd_open>("pidfd_open", "PIDFD_NONBLOCK PIDFD_THREAD"),
    row<number::pidfd_send_signal, sys_pidfd_send_signal>("pidfd_send_signal"),
    row<number::pidfd_getfd, sys_pidfd_getfd>("pidfd_getfd"),
    row<number::prlimit64, sys_prlimit64>("prlimit64"),
    row<number::getrlimit, sys_getrlimit>("getrlimit"),
    row<number::setrlimit, sys_setrlimit>("setrlimit"),
    row<number::getrusage, sys_getrusage>("getrusage"),
    row<number::times, sys_times>("times"),
    row<number::personality, sys_personality>("personality", "flags kept; ADDR_NO_RANDOMIZE honoured"),
    row<number::prctl, sys_prctl>(
        "prctl",
        "PDEATHSIG DUMPABLE KEEPCAPS SECUREBITS CAPBSET CAP_AMBIENT NAME TIMING TIMERSLACK "
        "CHILD_SUBREAPER NO_NEW_PRIVS GET_TID_ADDRESS GET_THP_DISABLE GET_AUXV"),
    row<number::unshare, sys_unshare>(
        "unshare", "CLONE_FS CLONE_FILES CLONE_SYSVSEM CLONE_NEWUTS; other namespaces give EINVAL"),
    row<number::setns, sys_setns>("setns", "files of /proc/PID/ns; pidfds give EINVAL"),
    row<number::kcmp, sys_kcmp>("kcmp", "all but KCMP_EPOLL_TFD (EINVAL)"),
    row<number::arch_prctl, sys_arch_prctl>("arch_prctl"),
};

}  // namespace syscalls::process

}  // namespace linux_abi
