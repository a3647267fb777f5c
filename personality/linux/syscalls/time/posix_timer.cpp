// timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2)
#include "core/time/clock.h"
#include "linux_abi/cpu_clock.h"
#include "linux_abi/timers.h"
#include "syscalls/time/rows.h"

namespace linux_abi {

namespace {

Result<RefPtr<PosixTimer>> find_locked(Timers& timers, int id) REQUIRES(timers.lock) {
  for (auto& timer : timers.posix)
    if (timer->id == id) return timer;
  return error(Errno::einval);
}

Result<ClockId> checked_clock(Task& task, ClockId clock) {
  switch (clock) {
    case ClockId::realtime:
    case ClockId::monotonic:
    case ClockId::boottime:
    case ClockId::tai:
    case ClockId::process_cpu:
    case ClockId::thread_cpu:
      return clock;
    case ClockId::realtime_alarm:
    case ClockId::boottime_alarm:
      if (!task.can(vfs::Capability::wake_alarm)) return error(Errno::eperm);
      return clock;
    case ClockId::monotonic_raw:
    case ClockId::realtime_coarse:
    case ClockId::monotonic_coarse:
      return error(Errno::eopnotsupp);
    default:
      return error(Errno::einval);
  }
}

Result<void> check_event(Context& context, const SigEvent& event, PosixTimer& timer) {
  timer.event = event;
  switch (event.notify) {
    case sigev_none:
      return {};
    case sigev_thread_id: {
      auto task = TRY(task_by_id(context, event.thread));
      if (event.thread == 0 || &task->process() != &context.process) return error(Errno::einval);
      timer.thread = std::move(task);
      [[fallthrough]];
    }
    case sigev_signal:
    case sigev_thread:
      if (!is_signal(event.number)) return error(Errno::einval);
      return {};
    default:
      return error(Errno::einval);
  }
}

Itimerspec to_itimerspec(TimerSetting setting) {
  return {to_timespec(setting.interval_ns), to_timespec(setting.value_ns)};
}

}  // namespace

Result<long> sys_timer_create(Context& context, ClockId clock, UserIn<SigEvent> in, UserOut<int> out) {
  ClockId checked = TRY(checked_clock(context.task, clock));
  Timers& timers = *TRY(timers_of(context.process));
  core::MutexGuard guard{timers.lock};
  auto limit = context.process.limit_current(Resource::sigpending);
  if (timers.posix.size() >= limit) return error(Errno::eagain);
  int id = timers.next_id;
  while (find_locked(timers, id)) id = (id + 1) & 0x7fffffff;
  auto timer = TRY(base::try_make_ref<PosixTimer>(context.process, id, checked));
  SigEvent event;
  if (in) {
    event = TRY(in.read());
  } else {
    event.notify = sigev_signal;
    event.number = signal::alarm;
    event.value = static_cast<std::uint64_t>(id);
  }
  TRY(check_event(context, event, *timer));
  if (checked == ClockId::thread_cpu && !timer->thread) timer->thread = RefPtr<Task>(&context.task);
  TRY(out.write(id));
  TRY(timers.posix.try_push_back(std::move(timer)));
  timers.next_id = (id + 1) & 0x7fffffff;
  return 0;
}

Result<long> sys_timer_settime(Context& context, int id, unsigned flags, UserIn<Itimerspec> in,
                               UserOut<Itimerspec> out) {
  if (!in) return error(Errno::einval);
  Itimerspec wanted = TRY(in.read());
  if (!wanted.value.is_valid() || !wanted.interval.is_valid()) return error(Errno::einval);
  Timers& timers = *TRY(timers_of(context.process));
  TimerSetting old;
  {
    core::MutexGuard guard{timers.lock};
    auto timer = TRY(find_locked(timers, id));
    old = timer->setting_locked();
    TimerSetting setting{to_nanoseconds(wanted.value), to_nanoseconds(wanted.interval)};
    if ((flags & timer_abstime) && setting.value_ns) {
      std::uint64_t now = TRY(read_clock(context.task, timer->clock));
      setting.value_ns = setting.value_ns > now ? setting.value_ns - now : 1;
    }
    timer->arm_locked(setting);
    if (timer->is_cpu_clock()) timers.schedule_cpu_check_locked();
  }
  if (out) TRY(out.write(to_itimerspec(old)));
  return 0;
}

Result<long> sys_timer_gettime(Context& context, int id, UserOut<Itimerspec> out) {
  Timers& timers = *TRY(timers_of(context.process));
  TimerSetting setting;
  {
    core::MutexGuard guard{timers.lock};
    setting = TRY(find_locked(timers, id))->setting_locked();
  }
  TRY(out.write(to_itimerspec(setting)));
  return 0;
}

Result<long> sys_timer_getoverrun(Context& context, int id) {
  Timers& timers = *TRY(timers_of(context.process));
  core::MutexGuard guard{timers.lock};
  return TRY(find_locked(timers, id))->last_overrun;
}

Result<long> sys_timer_delete(Context& context, int id) {
  Timers& timers = *TRY(timers_of(context.process));
  RefPtr<PosixTimer> timer;
  {
    core::MutexGuard guard{timers.lock};
    timer = TRY(find_locked(timers, id));
    timer->deleted = true;
    timer->deadline_ns = 0;
    for (std::size_t i = 0; i < timers.posix.size(); ++i) {
      if (timers.posix[i] != timer) continue;
      timers.posix.erase(i);
      break;
    }
  }
  timer->timer.cancel();
  return 0;
}

}  // namespace linux_abi
