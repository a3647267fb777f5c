// wait4(2), waitid(2)
#include "linux_abi/wait.h"
#include "linux_abi/pidfd.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_wait4(Context& context, int pid, UserOut<int> status, unsigned options,
                       UserOut<Rusage> usage) {
  if (options & ~(wnohang | wuntraced | wcontinued | wnothread | wclone | wall)) return error(Errno::einval);
  if (pid == -0x7fffffff - 1) return error(Errno::esrch);
  WaitRequest request;
  request.options = options | wexited;
  if (pid > 0) {
    request.kind = WaitId::pid;
    request.pid = Pid::get(pid);
  } else if (pid != -1) {
    request.kind = WaitId::pgid;
    if (pid == 0) {
      core::MutexGuard guard{process_tree_lock()};
      request.pid = context.process.group;
    } else {
      request.pid = Pid::get(-pid);
    }
  }
  WaitResult result = TRY(wait_for_child(context.task, request));
  if (!result.pid) return 0;
  if (status) TRY(status.write(result.wait_status));
  if (usage) TRY(usage.write(to_rusage(result.usage)));
  return result.pid;
}

Result<long> sys_waitid(Context& context, WaitId kind, int id, UserOut<SigInfo> information, unsigned options,
                        UserOut<Rusage> usage) {
  constexpr unsigned known = wnohang | wnowait | wexited | wstopped | wcontinued | wnothread | wclone | wall;
  if (options & ~known || !(options & (wexited | wstopped | wcontinued))) return error(Errno::einval);
  WaitRequest request;
  request.kind = kind;
  request.options = options;
  switch (kind) {
    case WaitId::all:
      break;
    case WaitId::pid:
      if (id <= 0) return error(Errno::einval);
      request.pid = Pid::get(id);
      break;
    case WaitId::pgid:
      if (id < 0) return error(Errno::einval);
      if (id == 0) {
        core::MutexGuard guard{process_tree_lock()};
        request.pid = context.process.group;
      } else {
        request.pid = Pid::get(id);
      }
      break;
    case WaitId::pidfd: {
      if (id < 0) return error(Errno::einval);
      FileUse file = TRY(context.task.files->use(id));
      request.pid = TRY(pid_of_pidfd(*file));
      // A non-blocking pidfd makes the wait one.
      if (file->is_non_blocking()) request.options |= wnohang;
      break;
    }
    default:
      return error(Errno::einval);
  }
  WaitResult result = TRY(wait_for_child(context.task, request));
  if (!result.pid && kind == WaitId::pidfd && !(options & wnohang)) return error(Errno::eagain);
  if (result.pid && usage) TRY(usage.write(to_rusage(result.usage)));
  if (!information) return 0;
  SigInfo info(result.pid ? signal::chld : 0, result.code);
  info.sender.pid = result.pid;
  info.sender.uid = result.uid;
  info.sender.child.status = result.status;
  TRY(information.write(info));
  return 0;
}

}  // namespace linux_abi
