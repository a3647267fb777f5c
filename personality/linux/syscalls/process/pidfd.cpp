// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2)
#include "linux_abi/pidfd.h"
#include "base/parse.h"
#include "syscalls/process/rows.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

namespace linux_abi {

Result<long> sys_pidfd_open(Context& context, int id, unsigned flags) {
  if ((flags & ~(pidfd_nonblock | pidfd_thread)) || id <= 0) return error(Errno::einval);
  RefPtr<Pid> pid = Pid::get(id);
  if (!pid) return error(Errno::esrch);
  if (!(flags & pidfd_thread) && !pid->process_reference())
    return error(Errno::einval);  // not a process' first thread
  auto file = TRY(open_pidfd(std::move(pid), flags, context.task));
  return TRY(context.task.files->add(std::move(file), CloseOnExec::yes, descriptor_limit(context)));
}

namespace {

// The directory of a process in /proc stands for it as well.
Result<RefPtr<Pid>> pid_of_directory(vfs::File& file) {
  const vfs::Path& path = file.path();
  if (!path || !path.dentry().parent()->is_root() || path.dentry().is_root() ||
      path.mount().file_system().type().name() != "proc" || !vfs::is_directory(file.inode().mode()))
    return error(Errno::ebadf);
  auto number = base::parse_unsigned(path.dentry().name());
  if (!number || *number > INT32_MAX) return error(Errno::ebadf);
  core::RcuReadGuard guard;
  RefPtr<Pid> pid = Pid::get(static_cast<int>(*number));
  // The number may be another's by now.
  if (!pid || file.inode().is_stale()) return error(Errno::esrch);
  return pid;
}

}  // namespace

Result<long> sys_pidfd_send_signal(Context& context, FileDescriptor fd, int number,
                                   UserIn<SigInfo> information, unsigned flags) {
  constexpr unsigned to_thread = 1, to_process = 2, to_group = 4;
  if (flags & ~(to_thread | to_process | to_group) || (flags & (flags - 1))) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto found = pid_of_pidfd(*file);
  auto pid = found ? std::move(*found) : TRY(pid_of_directory(*file));
  if (number < 0 || number > signal_count) return error(Errno::einval);
  SigInfo info = signal_information_from(context.task, number, si::user);
  auto process = pid->process_reference();
  if (information) {
    info = TRY(information.read());
    if (info.number != number) return error(Errno::einval);
    bool own = process.get() == &context.process;
    if (!own && (info.code >= 0 || info.code == si::tkill)) return error(Errno::eperm);
  }
  if (flags & to_thread) {
    auto task = pid->task_reference();
    if (!task) return error(Errno::esrch);
    TRY(may_signal(context.task, task->process(), number));
    if (number) TRY(send_signal(*task, info));
    return 0;
  }
  if (!process) return error(Errno::esrch);
  TRY(may_signal(context.task, *process, number));
  if (!number) return 0;
  if (flags & to_group)
    signal_group(*pid, info);
  else
    TRY(send_signal(*process, info));
  return 0;
}

Result<long> sys_pidfd_getfd(Context& context, FileDescriptor fd, int target_number, unsigned flags) {
  if (flags) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto pid = TRY(pid_of_pidfd(*file));
  auto task = pid->task_reference();
  if (!task) return error(Errno::esrch);
  TRY(may_inspect(context.task, task->process()));
  auto files = files_of(*task);
  if (!files) return error(Errno::esrch);
  auto wanted = TRY(files->get(target_number));
  return TRY(context.task.files->add(std::move(wanted), CloseOnExec::yes, descriptor_limit(context)));
}

}  // namespace linux_abi
