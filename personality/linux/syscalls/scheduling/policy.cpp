// sched_setscheduler(2), sched_setparam(2), sched_setattr(2) and what reads them back;
// sched_get_priority_max(2), sched_rr_get_interval(2), sched_yield(2)
#include "core/sched/scheduler.h"
#include "linux_abi/user_structure.h"
#include "syscalls/scheduling/rows.h"

namespace linux_abi {

namespace {

using core::Policy;
using core::SchedulingParameters;

constexpr std::uint64_t flag_reset_on_fork = 1, flag_reclaim = 2, flag_overrun = 4, flag_keep_policy = 8,
                        flag_keep_params = 16, flag_util_min = 32, flag_util_max = 64;

bool is_policy(int policy) {
  return policy == sched_other || policy == sched_fifo || policy == sched_rr || policy == sched_batch ||
         policy == sched_idle || policy == sched_deadline;
}

// sched(7), "Privileges and resource limits".
Result<void> may_change(Context& context, Task& target, const SchedulingParameters& old,
                        const SchedulingParameters& wanted) {
  if (context.task.can(vfs::Capability::sys_nice)) return {};
  auto other = credentials_of(target);
  const auto& own = context.task.credentials();
  if (!other || (own.euid != other->euid && own.euid != other->uid)) return error(Errno::eperm);
  Process& process = target.process();
  if (wanted.policy == Policy::deadline) return error(Errno::eperm);
  if (wanted.is_fixed()) {
    auto limit = process.limit_current(Resource::rtprio);
    if (wanted.policy != old.policy && !limit) return error(Errno::eperm);
    if (wanted.priority > old.priority && wanted.priority > limit) return error(Errno::eperm);
    return {};
  }
  auto lowest_nice = 20 - static_cast<std::int64_t>(process.limit_current(Resource::nice) & 63);
  if (old.policy == Policy::idle && wanted.policy != Policy::idle && old.nice < lowest_nice)
    return error(Errno::eperm);
  if (wanted.nice < old.nice && wanted.nice < lowest_nice) return error(Errno::eperm);
  return {};
}

Result<long> apply(Context& context, Task& target, SchedulingParameters wanted, bool reset_on_fork) {
  TRY(wanted.validate());
  TRY(may_change(context, target, target.thread().parameters(), wanted));
  wanted.reset_on_fork = reset_on_fork;
  TRY(target.thread().set_parameters(wanted));
  target.reset_scheduling_on_fork = reset_on_fork;
  return 0;
}

Result<long> set_policy(Context& context, int id, int policy, UserIn<SchedulingParameter> in) {
  if (id < 0 || in.is_null()) return error(Errno::einval);
  SchedulingParameter parameter = TRY(in.read());
  auto target = TRY(task_by_id(context, id));
  SchedulingParameters wanted = target->thread().parameters();
  bool reset = target->reset_scheduling_on_fork;
  if (policy >= 0) {
    reset = policy & sched_reset_on_fork;
    policy &= ~sched_reset_on_fork;
    if (!is_policy(policy) || policy == sched_deadline) return error(Errno::einval);
    wanted.policy = static_cast<Policy>(policy);
  }
  bool fixed = wanted.is_fixed();
  if (fixed ? parameter.priority < 1 || parameter.priority > 99 : parameter.priority != 0)
    return error(Errno::einval);
  wanted.priority = static_cast<std::uint8_t>(parameter.priority);
  return apply(context, *target, wanted, reset);
}

}  // namespace

Result<long> sys_sched_setscheduler(Context& context, int id, int policy, UserIn<SchedulingParameter> in) {
  if (policy < 0) return error(Errno::einval);
  return set_policy(context, id, policy, in);
}
Result<long> sys_sched_setparam(Context& context, int id, UserIn<SchedulingParameter> in) {
  return set_policy(context, id, -1, in);
}
Result<long> sys_sched_getscheduler(Context& context, int id) {
  if (id < 0) return error(Errno::einval);
  auto target = TRY(task_by_id(context, id));
  int policy = static_cast<int>(target->thread().parameters().policy);
  return target->reset_scheduling_on_fork ? policy | sched_reset_on_fork : policy;
}
Result<long> sys_sched_getparam(Context& context, int id, UserOut<SchedulingParameter> out) {
  if (id < 0 || out.is_null()) return error(Errno::einval);
  auto target = TRY(task_by_id(context, id));
  auto parameters = target->thread().parameters();
  TRY(out.write({parameters.is_fixed() ? parameters.priority : 0}));
  return 0;
}

Result<long> sys_sched_setattr(Context& context, int id, UserAddress in, unsigned flags) {
  if (id < 0 || in.is_null() || flags) return error(Errno::einval);
  constexpr std::uint32_t first_version = 48;
  std::uint32_t size = TRY(UserIn<std::uint32_t>(in).read());
  if (!size) size = first_version;
  auto attributes = read_extensible<SchedulingAttributes>(in, size, first_version);
  if (!attributes) {
    // The program learns what size we know.
    if (attributes.error() == Errno::e2big || attributes.error() == Errno::einval) {
      TRY(UserOut<std::uint32_t>(in).write(sizeof(SchedulingAttributes)));
      return error(Errno::e2big);
    }
    return error(attributes.error());
  }
  constexpr std::uint64_t known = flag_reset_on_fork | flag_reclaim | flag_overrun | flag_keep_policy |
                                  flag_keep_params | flag_util_min | flag_util_max;
  if (attributes->flags & ~known) return error(Errno::einval);
  if (attributes->flags & (flag_util_min | flag_util_max)) return error(Errno::eopnotsupp);
  auto target = TRY(task_by_id(context, id));
  SchedulingParameters wanted = target->thread().parameters();
  if (!(attributes->flags & flag_keep_policy)) {
    if (!is_policy(static_cast<int>(attributes->policy))) return error(Errno::einval);
    wanted.policy = static_cast<Policy>(attributes->policy);
  }
  if (!(attributes->flags & flag_keep_params)) {
    std::int32_t nice = attributes->nice < -20 ? -20 : attributes->nice > 19 ? 19 : attributes->nice;
    if (wanted.is_fixed() ? attributes->priority < 1 || attributes->priority > 99 : attributes->priority != 0)
      return error(Errno::einval);
    if (wanted.is_fair()) wanted.nice = static_cast<std::int8_t>(nice);
    wanted.priority = static_cast<std::uint8_t>(attributes->priority);
    wanted.runtime_ns = attributes->runtime;
    wanted.deadline_ns = attributes->deadline;
    wanted.period_ns = attributes->period;
  }
  return apply(context, *target, wanted, attributes->flags & flag_reset_on_fork);
}

Result<long> sys_sched_getattr(Context& context, int id, UserAddress out, unsigned size, unsigned flags) {
  if (id < 0 || out.is_null() || flags || size < 48 || size > 4096) return error(Errno::einval);
  auto target = TRY(task_by_id(context, id));
  auto parameters = target->thread().parameters();
  SchedulingAttributes attributes;
  attributes.size = size < sizeof(attributes) ? size : sizeof(attributes);
  attributes.policy = static_cast<std::uint32_t>(parameters.policy);
  attributes.flags = target->reset_scheduling_on_fork ? flag_reset_on_fork : 0;
  if (parameters.is_fair()) attributes.nice = parameters.nice;
  if (parameters.is_fixed()) attributes.priority = parameters.priority;
  if (parameters.policy == Policy::deadline) {
    attributes.runtime = parameters.runtime_ns;
    attributes.deadline = parameters.deadline_ns;
    attributes.period = parameters.period_ns;
  }
  TRY(core::copy_to_user(out, std::as_bytes(std::span(&attributes, 1)).first(attributes.size)));
  return 0;
}

Result<long> sys_sched_get_priority_max(Context&, int policy) {
  if (!is_policy(policy)) return error(Errno::einval);
  return policy == sched_fifo || policy == sched_rr ? 99 : 0;
}
Result<long> sys_sched_get_priority_min(Context&, int policy) {
  if (!is_policy(policy)) return error(Errno::einval);
  return policy == sched_fifo || policy == sched_rr ? 1 : 0;
}

Result<long> sys_sched_rr_get_interval(Context& context, int id, UserOut<Timespec> out) {
  if (id < 0) return error(Errno::einval);
  auto target = TRY(task_by_id(context, id));
  constexpr std::uint64_t fair_slice_ns = 3'000'000;
  auto policy = target->thread().parameters().policy;
  std::uint64_t slice = policy == Policy::round_robin ? core::round_robin_slice_ns
                        : policy == Policy::fifo      ? 0
                                                      : fair_slice_ns;
  TRY(out.write(to_timespec(slice)));
  return 0;
}

Result<long> sys_sched_yield(Context&) {
  core::yield();
  return 0;
}

}  // namespace linux_abi
