// Signals: actions, masks, sending, waiting.
#pragma once

#include "linux_abi/abi/signal.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_rt_sigaction(Context& context, int number, UserIn<SigAction> in, UserOut<SigAction> out,
                              std::size_t set_size);
Result<long> sys_rt_sigprocmask(Context& context, SigMaskHow how, UserIn<SignalSet> in,
                                UserOut<SignalSet> out, std::size_t set_size);
Result<long> sys_rt_sigpending(Context& context, UserOut<SignalSet> out, std::size_t set_size);
Result<long> sys_rt_sigsuspend(Context& context, UserIn<SignalSet> in, std::size_t set_size);
Result<long> sys_pause(Context& context);
Result<long> sys_rt_sigtimedwait(Context& context, UserIn<SignalSet> wanted, UserOut<SigInfo> out,
                                 UserIn<Timespec> timeout, std::size_t set_size);
Result<long> sys_kill(Context& context, int id, int number);
Result<long> sys_tkill(Context& context, int thread, int number);
Result<long> sys_tgkill(Context& context, int process, int thread, int number);
Result<long> sys_rt_sigqueueinfo(Context& context, int id, int number, UserIn<SigInfo> in);
Result<long> sys_rt_tgsigqueueinfo(Context& context, int process, int thread, int number, UserIn<SigInfo> in);
Result<long> sys_sigaltstack(Context& context, UserIn<SigAltStack> in, UserOut<SigAltStack> out);
Result<long> sys_rt_sigreturn(Context& context);
Result<long> sys_restart_syscall(Context& context);

namespace syscalls::signals {

inline constexpr SyscallRow rows[] = {
    row<number::rt_sigaction, sys_rt_sigaction>("rt_sigaction"),
    row<number::rt_sigprocmask, sys_rt_sigprocmask>("rt_sigprocmask"),
    row<number::rt_sigpending, sys_rt_sigpending>("rt_sigpending"),
    row<number::rt_sigsuspend, sys_rt_sigsuspend>("rt_sigsuspend"),
    row<number::pause, sys_pause>("pause"),
    row<number::rt_sigtimedwait, sys_rt_sigtimedwait>("rt_sigtimedwait"),
    row<number::kill, sys_kill>("kill"),
    row<number::tkill, sys_tkill>("tkill"),
    row<number::tgkill, sys_tgkill>("tgkill"),
    row<number::rt_sigqueueinfo, sys_rt_sigqueueinfo>("rt_sigqueueinfo"),
    row<number::rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo>("rt_tgsigqueueinfo"),
    row<number::sigaltstack, sys_sigaltstack>("sigaltstack", "SS_DISABLE SS_AUTODISARM"),
    row<number::rt_sigreturn, sys_rt_sigreturn>("rt_sigreturn"),
    row<number::restart_syscall, sys_restart_syscall>("restart_syscall"),
};

}  // namespace syscalls::signals

}  // namespace linux_abi
