// rt_sigprocmask(2), rt_sigpending(2), rt_sigsuspend(2), pause(2)
#include "core/sched/scheduler.h"
#include "linux_abi/signal_delivery.h"
#include "syscalls/signals/rows.h"

namespace linux_abi {

Result<long> sys_rt_sigprocmask(Context& context, SigMaskHow how, UserIn<SignalSet> in,
                                UserOut<SignalSet> out, std::size_t set_size) {
  if (set_size != sizeof(SignalSet)) return error(Errno::einval);
  SignalSet old = context.task.blocked;
  if (in) {
    SignalSet set = TRY(in.read());
    switch (how) {
      case SigMaskHow::block:
        set = old | set;
        break;
      case SigMaskHow::unblock:
        set = old & ~set;
        break;
      case SigMaskHow::set:
        break;
      default:
        return error(Errno::einval);
    }
    set_blocked(context.task, set);
  }
  if (out) TRY(out.write(old));
  return 0;
}

Result<long> sys_rt_sigpending(Context& context, UserOut<SignalSet> out, std::size_t set_size) {
  if (set_size > sizeof(SignalSet)) return error(Errno::einval);
  SignalSet pending;
  {
    core::MutexGuard guard{context.process.signal_lock};
    pending = (context.task.pending.set() | context.process.shared_pending.set()) & context.task.blocked;
  }
  TRY(core::copy_to_user(out.address(), std::as_bytes(std::span(&pending, 1)).first(set_size)));
  return 0;
}

Result<long> sys_pause(Context&) {
  (void)!core::sleep_until(core::Deadline::never(), core::WaitMode::interruptible);
  return error(Errno::restart_no_handler);
}

Result<long> sys_rt_sigsuspend(Context& context, UserIn<SignalSet> in, std::size_t set_size) {
  if (set_size != sizeof(SignalSet)) return error(Errno::einval);
  set_temporary_mask(context.task, TRY(in.read()));
  (void)!core::sleep_until(core::Deadline::never(), core::WaitMode::interruptible);
  return error(Errno::restart_no_handler);
}

}  // namespace linux_abi
