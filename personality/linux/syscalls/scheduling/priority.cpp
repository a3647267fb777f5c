// getpriority(2), setpriority(2), ioprio_get(2), ioprio_set(2)
#include "syscalls/scheduling/rows.h"

namespace linux_abi {

namespace {

enum class Which : int { process = 0, group = 1, user = 2 };

// Calls function(task) for every thread that `which` and `who` mean. ESRCH if there is none.
template <typename Function>
Result<void> for_each_target(Context& context, int which, int who, Function&& function) {
  bool any = false;
  auto whole = [&](Process& process) {
    core::MutexGuard guard{process.signal_lock};
    process.for_each_thread([&](Task& task) {
      any = true;
      function(task);
    });
  };
  switch (static_cast<Which>(which)) {
    case Which::process: {
      auto task = TRY(task_by_id(context, who));
      function(*task);
      return {};
    }
    case Which::group: {
      core::MutexGuard guard{process_tree_lock()};
      RefPtr<Pid> group = who ? Pid::get(who) : context.process.group;
      if (group)
        for (ProcessLinks& links : group->group_members) whole(static_cast<Process&>(links));
      break;
    }
    case Which::user: {
      std::uint32_t uid = who ? static_cast<std::uint32_t>(who) : context.task.credentials().uid;
      for_each_process([&](Process& process) {
        auto credentials = credentials_of(process);
        if (credentials && credentials->uid == uid) whole(process);
        return true;
      });
      break;
    }
    default:
      return error(Errno::einval);
  }
  if (!any) return error(Errno::esrch);
  return {};
}

Result<void> set_nice(Context& context, Task& target, int nice) {
  auto other = credentials_of(target);
  const auto& own = context.task.credentials();
  bool privileged = own.can(vfs::Capability::sys_nice);
  if (!privileged && other && own.euid != other->uid && own.euid != other->euid) return error(Errno::eperm);
  auto parameters = target.thread().parameters();
  auto lowest = 20 - static_cast<std::int64_t>(target.process().limit_current(Resource::nice));
  if (nice < parameters.nice && nice < lowest && !privileged) return error(Errno::eacces);
  parameters.nice = static_cast<std::int8_t>(nice);
  return target.thread().set_parameters(parameters);
}

}  // namespace

Result<long> sys_getpriority(Context& context, int which, int who) {
  if (which < 0 || which > 2) return error(Errno::einval);
  long best = 0;  // 20 - nice: 1..40, so that no result looks like an error
  TRY(for_each_target(context, which, who, [&](Task& task) {
    long value = 20 - task.thread().nice();
    if (value > best) best = value;
  }));
  return best;
}

Result<long> sys_setpriority(Context& context, int which, int who, int nice) {
  if (which < 0 || which > 2) return error(Errno::einval);
  if (nice < -20) nice = -20;
  if (nice > 19) nice = 19;
  Result<void> outcome;
  TRY(for_each_target(context, which, who, [&](Task& task) {
    auto result = set_nice(context, task, nice);
    if (!result) outcome = result;
  }));
  if (!outcome) return error(outcome.error());
  return 0;
}

}  // namespace linux_abi
