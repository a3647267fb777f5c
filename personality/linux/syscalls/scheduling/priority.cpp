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

// ---- For disks ----

namespace {

// A class in the upper bits, below it a level (0 is the most urgent) and hints.
constexpr int disk_class_shift = 13, disk_level_mask = 7, disk_real_time = 1, disk_best_effort = 2,
              disk_idle = 3;
constexpr int first_disk_which = 1;  // IOPRIO_WHO_PROCESS; the others follow in the order of Which

Result<void> check_disk_priority(Context& context, int value) {
  int level = value & disk_level_mask;
  switch (value >> disk_class_shift) {
    case disk_real_time:
      if (!context.task.can(vfs::Capability::sys_nice) && !context.task.can(vfs::Capability::sys_admin))
        return error(Errno::eperm);
      return {};
    case disk_best_effort:
    case disk_idle:
      return {};
    case 0:
      return level ? error(Errno::einval) : Result<void>{};
    default:
      return error(Errno::einval);
  }
}

// What counts where nothing was set: it follows from the nice value.
int effective_disk_priority(const Task& task) {
  int value = task.disk_priority.load(std::memory_order_relaxed);
  if (value >> disk_class_shift) return value;
  return disk_best_effort << disk_class_shift | (task.thread().nice() + 20) / 5;
}

}  // namespace

Result<long> sys_ioprio_set(Context& context, int which, int who, int value) {
  TRY(check_disk_priority(context, value));
  if (which < first_disk_which || which > first_disk_which + 2) return error(Errno::einval);
  Result<void> outcome;
  const auto& own = context.task.credentials();
  TRY(for_each_target(context, which - first_disk_which, who, [&](Task& task) {
    auto other = credentials_of(task);
    if (other && other->uid != own.euid && other->uid != own.uid && !own.can(vfs::Capability::sys_nice))
      outcome = error(Errno::eperm);
    else
      task.disk_priority.store(static_cast<std::uint16_t>(value), std::memory_order_relaxed);
  }));
  if (!outcome) return error(outcome.error());
  return 0;
}

Result<long> sys_ioprio_get(Context& context, int which, int who) {
  if (which < first_disk_which || which > first_disk_which + 2) return error(Errno::einval);
  if (which == first_disk_which)
    return TRY(task_by_id(context, who))->disk_priority.load(std::memory_order_relaxed);
  int best = -1;
  TRY(for_each_target(context, which - first_disk_which, who, [&](Task& task) {
    int value = effective_disk_priority(task);
    if (best < 0 || value < best) best = value;
  }));
  return best;
}

}  // namespace linux_abi
