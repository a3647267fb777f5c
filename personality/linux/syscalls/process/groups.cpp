// Process groups and sessions: setpgid(2), getpgid(2), setsid(2), getsid(2), credentials(7)
#include "linux_abi/job_control.h"
#include "linux_abi/relations.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

namespace {

Result<void> set_group(Process& caller, Process& target, int group_id) REQUIRES(process_tree_lock()) {
  if (&target != &caller) {
    if (target.parent != &caller) return error(Errno::esrch);
    if (target.session != caller.session) return error(Errno::eperm);
    if (target.executed) return error(Errno::eacces);
  }
  if (target.session_leader) return error(Errno::eperm);
  RefPtr<Pid> group = target.pid;
  if (group_id != target.id()) {
    group = Pid::get(group_id);
    if (!group || group->group_members.empty()) return error(Errno::eperm);
    if (static_cast<Process&>(*group->group_members.first()).session != caller.session)
      return error(Errno::eperm);
  }
  if (target.group == group) return {};
  set_group_locked(target, std::move(group));
  return {};
}

}  // namespace

Result<long> sys_setpgid(Context& context, int pid, int group) {
  if (group < 0) return error(Errno::einval);
  auto target = TRY(process_by_id(context, pid));
  core::MutexGuard guard{process_tree_lock()};
  if (target->state != Process::State::running) return error(Errno::esrch);
  TRY(set_group(context.process, *target, group ? group : target->id()));
  return 0;
}

Result<long> sys_getpgid(Context& context, int pid) {
  auto target = TRY(process_by_id(context, pid));
  core::MutexGuard guard{process_tree_lock()};
  // /init begins in no group, which is number 0.
  return target->group ? target->group->number() : 0;
}

Result<long> sys_getpgrp(Context& context) { return sys_getpgid(context, 0); }

Result<long> sys_getsid(Context& context, int pid) {
  auto target = TRY(process_by_id(context, pid));
  core::MutexGuard guard{process_tree_lock()};
  return target->session ? target->session->number() : 0;
}

Result<long> sys_setsid(Context& context) {
  Process& process = context.process;
  RefPtr<tty::Terminal> left;  // released when the lock is open again
  core::MutexGuard guard{process_tree_lock()};
  // A group of that number exists already: the caller leads it, or a child is still in it.
  if (process.session_leader || !process.pid->group_members.empty()) return error(Errno::eperm);
  left = std::move(process.terminal);
  process.terminal = {};
  process.session_leader = true;
  set_session_locked(process, process.pid);
  set_group_locked(process, process.pid);
  return process.id();
}

}  // namespace linux_abi
