// kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2)
#include "syscalls/signals/rows.h"

namespace linux_abi {

namespace {

// To every process of a group, or to all (kill -1). Success if one could be signalled, else EPERM or ESRCH.
Result<long> kill_many(Context& context, Pid* group, int number, const SigInfo& info) {
  bool sent = false, refused = false;
  auto one = [&](Process& target) {
    if (!may_signal(context.task, target, number)) {
      refused = true;
      return;
    }
    sent = true;
    if (number) (void)send_signal(target, info);
  };
  if (group) {
    core::MutexGuard guard{process_tree_lock()};
    for (ProcessLinks& links : group->group_members) one(static_cast<Process&>(links));
  } else {
    for_each_process([&](Process& target) {
      if (!target.is_init() && &target != &context.process) one(target);
      return true;
    });
  }
  if (sent) return 0;
  return error(refused ? Errno::eperm : Errno::esrch);
}

Result<long> to_thread(Context& context, int process_id, int thread_id, const SigInfo& info) {
  if (thread_id <= 0 || process_id == 0) return error(Errno::einval);
  RefPtr<Pid> pid = Pid::get(thread_id);
  RefPtr<Task> task = pid ? pid->task_reference() : RefPtr<Task>{};
  if (!task || (process_id > 0 && task->process().id() != process_id)) return error(Errno::esrch);
  TRY(may_signal(context.task, task->process(), info.number));
  if (info.number) TRY(send_signal(*task, info));
  return 0;
}

Result<SigInfo> queued_information(Context& context, int target, int number, UserIn<SigInfo> in) {
  SigInfo info = TRY(in.read());
  info.number = number;
  // Nobody may pretend that the kernel sent it, except to himself.
  if ((info.code >= 0 || info.code == si::tkill) && target != context.process.id())
    return error(Errno::eperm);
  return info;
}

}  // namespace

Result<long> sys_kill(Context& context, int id, int number) {
  if (number < 0 || number > signal_count) return error(Errno::einval);
  SigInfo info = signal_information_from(context.task, number, si::user);
  if (id > 0) {
    auto target = TRY(process_by_id(context, id));
    TRY(may_signal(context.task, *target, number));
    if (number) TRY(send_signal(*target, info));
    return 0;
  }
  if (id == -1) return kill_many(context, nullptr, number, info);
  if (id == -0x7fffffff - 1) return error(Errno::esrch);
  RefPtr<Pid> group;
  if (id == 0) {
    core::MutexGuard guard{process_tree_lock()};
    group = context.process.group;
  } else {
    group = Pid::get(-id);
  }
  if (!group) return error(Errno::esrch);
  return kill_many(context, group.get(), number, info);
}

Result<long> sys_tkill(Context& context, int thread, int number) {
  if (number < 0 || number > signal_count) return error(Errno::einval);
  return to_thread(context, -1, thread, signal_information_from(context.task, number, si::tkill));
}

Result<long> sys_tgkill(Context& context, int process, int thread, int number) {
  if (number < 0 || number > signal_count || process <= 0) return error(Errno::einval);
  return to_thread(context, process, thread, signal_information_from(context.task, number, si::tkill));
}

Result<long> sys_rt_sigqueueinfo(Context& context, int id, int number, UserIn<SigInfo> in) {
  SigInfo info = TRY(queued_information(context, id, number, in));
  if (number < 0 || number > signal_count) return error(Errno::einval);
  auto target = id > 0 ? process_by_id(context, id) : Result<RefPtr<Process>>(error(Errno::esrch));
  if (!target) return error(target.error());
  TRY(may_signal(context.task, **target, number));
  if (number) TRY(send_signal(**target, info));
  return 0;
}

Result<long> sys_rt_tgsigqueueinfo(Context& context, int process, int thread, int number,
                                   UserIn<SigInfo> in) {
  if (process <= 0 || thread <= 0) return error(Errno::einval);
  SigInfo info = TRY(queued_information(context, process, number, in));
  if (number < 0 || number > signal_count) return error(Errno::einval);
  return to_thread(context, process, thread, info);
}

}  // namespace linux_abi
