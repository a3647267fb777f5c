// rt_sigaction(2)
#include "linux_abi/job_control.h"
#include "syscalls/signals/rows.h"

namespace linux_abi {

Result<long> sys_rt_sigaction(Context& context, int number, UserIn<SigAction> in, UserOut<SigAction> out,
                              std::size_t set_size) {
  if (set_size != sizeof(SignalSet) || !is_signal(number)) return error(Errno::einval);
  SignalActions& actions = *context.process.actions;
  SigAction old = actions.get(number);
  if (in) {
    if (unblockable_signals.contains(number)) return error(Errno::einval);
    SigAction action = TRY(in.read());
    action.mask = action.mask & ~unblockable_signals;
    action.flags &= sa_nocldstop | sa_nocldwait | sa_siginfo | sa_expose_tagbits | sa_restorer | sa_onstack |
                    sa_restart | sa_nodefer | sa_resethand;
    old = actions.set(number, action);
    // What is pending and would now be ignored goes (POSIX, sigaction).
    bool ignored = action.handler == sig_ignore ||
                   (action.handler == sig_default && ignored_by_default.contains(number));
    if (ignored) {
      core::MutexGuard guard{context.process.signal_lock};
      context.process.shared_pending.discard(SignalSet::of(number));
      context.process.for_each_thread([&](Task& task) {
        task.pending.discard(SignalSet::of(number));
        update_interruption(task);
      });
    }
  }
  if (out) TRY(out.write(old));
  return 0;
}

}  // namespace linux_abi
