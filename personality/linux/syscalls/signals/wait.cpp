// rt_sigtimedwait(2)
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "syscalls/signals/rows.h"

namespace linux_abi {

Result<long> sys_rt_sigtimedwait(Context& context, UserIn<SignalSet> wanted, UserOut<SigInfo> out,
                                 UserIn<Timespec> timeout, std::size_t set_size) {
  if (set_size != sizeof(SignalSet)) return error(Errno::einval);
  Task& task = context.task;
  SignalSet set = TRY(wanted.read()) & ~unblockable_signals;
  core::Deadline deadline = core::Deadline::never();
  if (timeout) {
    Timespec time = TRY(timeout.read());
    if (!time.is_valid()) return error(Errno::einval);
    deadline = core::Deadline::after(to_nanoseconds(time));
  }
  SigInfo info;
  int number = dequeue_signal(task, ~set, info);
  if (!number && !deadline.is_over()) {
    // While we wait the wanted signals are not blocked, so that their arrival ends the sleep; real_blocked
    // keeps them from being dropped as ignored or from ending the process.
    SignalSet before = task.blocked;
    {
      core::MutexGuard guard{context.process.signal_lock};
      task.real_blocked = before;
    }
    set_blocked(task, before & ~set);
    (void)!core::sleep_until(deadline, core::WaitMode::interruptible);
    number = dequeue_signal(task, ~set, info);
    set_blocked(task, before);
    core::MutexGuard guard{context.process.signal_lock};
    task.real_blocked = {};
  }
  if (!number) {
    core::MutexGuard guard{context.process.signal_lock};
    update_interruption(task);
    return error(task.thread().interrupted(core::WaitMode::interruptible) ? Errno::interrupted_finally
                                                                          : Errno::eagain);
  }
  if (out) TRY(out.write(info));
  return number;
}

}  // namespace linux_abi
