#include "linux_abi/timers.h"

#include "core/time/clock.h"
#include "linux_abi/task.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

struct CpuTimes {
  std::uint64_t user_ns, total_ns;
};

CpuTimes cpu_times(Process& process) {
  ResourceUsage usage = process.usage();
  return {usage.user_ns, usage.user_ns + usage.system_ns};
}

void real_timer_expired(core::Timer& timer) {
  Timers& timers = *base::container_of(&timer, &Timers::real_timer);
  {
    core::MutexGuard guard{timers.lock};
    if (!timers.real_deadline_ns || core::monotonic_ns() < timers.real_deadline_ns) return;
    if (timers.real_interval_ns) {
      std::uint64_t now = core::monotonic_ns();
      std::uint64_t missed = (now - timers.real_deadline_ns) / timers.real_interval_ns;
      timers.real_deadline_ns += (missed + 1) * timers.real_interval_ns;
      timer.start(core::Deadline::at(timers.real_deadline_ns));
    } else {
      timers.real_deadline_ns = 0;
    }
  }
  send_kernel_signal(timers.process, signal::alarm);
}

// One look at a CPU-time threshold. True: it has been passed.
bool pass(Timers::CpuItimer& itimer, std::uint64_t used_ns) {
  if (!itimer.threshold_ns || used_ns < itimer.threshold_ns) return false;
  itimer.threshold_ns = itimer.interval_ns ? used_ns + itimer.interval_ns : 0;
  return true;
}

void check_cpu_timers(Timers& timers) {
  Process& process = timers.process;
  SignalSet wanted;
  {
    core::MutexGuard guard{timers.lock};
    CpuTimes used = cpu_times(process);
    if (pass(timers.virtual_timer, used.user_ns)) wanted.add(signal::vtalrm);
    if (pass(timers.profile_timer, used.total_ns)) wanted.add(signal::prof);
    Rlimit limit = process.limit(Resource::cpu);
    std::uint64_t seconds = used.total_ns / nanoseconds_per_second;
    if (limit.current != rlim_infinity && seconds >= limit.current && seconds > timers.cpu_limit_warned_s) {
      timers.cpu_limit_warned_s = seconds;
      wanted.add(seconds >= limit.maximum ? signal::kill : signal::xcpu);
    }
    for (auto& timer : timers.posix)
      if (timer->is_cpu_clock() && timer->deadline_ns && timer->cpu_time_ns() >= timer->deadline_ns)
        timer->expire_locked(timer->cpu_time_ns());
    timers.schedule_cpu_check_locked();
  }
  for (int number : {signal::vtalrm, signal::prof, signal::xcpu, signal::kill})
    if (wanted.contains(number)) send_kernel_signal(process, number);
}

void cpu_check_due(core::Timer& timer) { check_cpu_timers(*base::container_of(&timer, &Timers::cpu_check)); }

void posix_timer_expired(core::Timer& timer) {
  PosixTimer& posix = *base::container_of(&timer, &PosixTimer::timer);
  Timers* timers = posix.process.timers;
  core::MutexGuard guard{timers->lock};
  std::uint64_t now = core::monotonic_ns();
  if (posix.deleted || !posix.deadline_ns || now < posix.deadline_ns) return;
  posix.expire_locked(now);
}

}  // namespace

// --- POSIX timers

PosixTimer::PosixTimer(Process& owner, int timer_id, ClockId timer_clock)
    : process(owner), id(timer_id), clock(timer_clock), timer(posix_timer_expired) {
  entry.timer = this;
}

PosixTimer::~PosixTimer() { timer.cancel(); }

std::uint64_t PosixTimer::cpu_time_ns() const {
  if (clock == ClockId::thread_cpu) return thread ? thread->thread().runtime_ns() : 0;
  return cpu_times(process).total_ns;
}

TimerSetting PosixTimer::setting_locked() const {
  if (!deadline_ns) return {0, interval_ns};
  std::uint64_t now = is_cpu_clock() ? cpu_time_ns() : core::monotonic_ns();
  return {deadline_ns > now ? deadline_ns - now : 1, interval_ns};
}

void PosixTimer::arm_locked(TimerSetting setting) {
  timer.cancel_async();
  overruns = 0;
  interval_ns = setting.interval_ns;
  if (!setting.value_ns) {
    deadline_ns = 0;
    return;
  }
  std::uint64_t now = is_cpu_clock() ? cpu_time_ns() : core::monotonic_ns();
  deadline_ns = now + setting.value_ns < now ? ~std::uint64_t{0} - 1 : now + setting.value_ns;
  if (!is_cpu_clock()) timer.start(core::Deadline::at(deadline_ns));
}

void PosixTimer::expire_locked(std::uint64_t now_ns) {
  std::uint64_t periods = 1;
  if (interval_ns) {
    periods += (now_ns - deadline_ns) / interval_ns;
    deadline_ns += periods * interval_ns;
  } else {
    deadline_ns = 0;
  }
  if (event.notify == sigev_none) {
    if (deadline_ns && !is_cpu_clock()) timer.start(core::Deadline::at(deadline_ns));
    return;
  }
  bool queued = false;
  if (!entry.hook.is_linked()) {
    entry.info = SigInfo(event.number, si::timer);
    entry.info.timer.id = id;
    entry.info.timer.value = event.value;
    queued = send_prepared(event.notify == sigev_thread_id ? thread.get() : nullptr, process, entry);
    overruns += periods - 1;
  }
  if (!queued) overruns += periods;
  // A periodic timer goes on by itself: what it adds while its signal waits is its overrun count.
  if (deadline_ns && !is_cpu_clock()) timer.start(core::Deadline::at(deadline_ns));
}

void PosixTimer::signal_taken(SigInfo& info) {
  Timers* timers = process.timers;
  core::MutexGuard guard{timers->lock};
  last_overrun = overruns > 0x7fffffff ? 0x7fffffff : static_cast<std::int32_t>(overruns);
  overruns = 0;
  info.timer.overrun = last_overrun;
}

// --- The timers of a process

Timers::Timers(Process& owner) : process(owner), real_timer(real_timer_expired), cpu_check(cpu_check_due) {}

Timers::~Timers() {
  real_timer.cancel();
  cpu_check.cancel();
}

void Timers::schedule_cpu_check_locked() {
  std::uint64_t earliest = ~std::uint64_t{0};
  auto consider = [&](std::uint64_t threshold, std::uint64_t used) {
    if (!threshold) return;
    std::uint64_t left = threshold > used ? threshold - used : 0;
    if (left < earliest) earliest = left;
  };
  CpuTimes used = cpu_times(process);
  consider(virtual_timer.threshold_ns, used.user_ns);
  consider(profile_timer.threshold_ns, used.total_ns);
  std::uint64_t limit = process.limit_current(Resource::cpu);
  if (limit != rlim_infinity) {
    std::uint64_t seconds = limit > cpu_limit_warned_s ? limit : cpu_limit_warned_s + 1;
    consider(seconds * nanoseconds_per_second, used.total_ns);
  }
  for (auto& timer : posix)
    if (timer->is_cpu_clock()) consider(timer->deadline_ns, timer->cpu_time_ns());
  if (earliest == ~std::uint64_t{0}) return;
  // All threads may be using CPU time at once.
  std::uint64_t threads = process.live_threads.load(std::memory_order_relaxed);
  earliest /= threads ? threads : 1;
  constexpr std::uint64_t shortest_ns = 1'000'000;
  cpu_check.start(core::Deadline::after(earliest < shortest_ns ? shortest_ns : earliest));
}

Result<Timers*> timers_of(Process& process) {
  core::MutexGuard guard{process.signal_lock};
  if (!process.timers) {
    process.timers = new (std::nothrow) Timers(process);
    if (!process.timers) return error(Errno::enomem);
  }
  return process.timers;
}

void delete_posix_timers(Process& process) {
  Timers* timers = process.timers;
  if (!timers) return;
  base::Vector<RefPtr<PosixTimer>> gone;
  {
    core::MutexGuard guard{timers->lock};
    gone = std::move(timers->posix);
    for (auto& timer : gone) {
      timer->deleted = true;
      timer->deadline_ns = 0;
    }
  }
  for (auto& timer : gone) timer->timer.cancel();
}

void stop_timers(Process& process) {
  Timers* timers = process.timers;
  if (!timers) return;
  delete_posix_timers(process);
  {
    core::MutexGuard guard{timers->lock};
    timers->real_deadline_ns = timers->real_interval_ns = 0;
    timers->virtual_timer = timers->profile_timer = {};
  }
  timers->real_timer.cancel();
  timers->cpu_check.cancel();
}

void destroy_timers(Process& process) {
  delete process.timers;
  process.timers = nullptr;
}

void expire_cpu_timers(Task& task) {
  if (task.process().timers) check_cpu_timers(*task.process().timers);
}

void cpu_limit_changed(Process& process) {
  auto timers = timers_of(process);
  if (!timers) return;
  core::MutexGuard guard{(*timers)->lock};
  (*timers)->cpu_limit_warned_s = 0;
  (*timers)->schedule_cpu_check_locked();
}

// --- Interval timers

namespace {

TimerSetting setting_of(const Timers::CpuItimer& itimer, std::uint64_t used_ns) {
  if (!itimer.threshold_ns) return {0, itimer.interval_ns};
  return {itimer.threshold_ns > used_ns ? itimer.threshold_ns - used_ns : 1000, itimer.interval_ns};
}

TimerSetting current_setting_locked(Timers& timers, ItimerKind kind) REQUIRES(timers.lock) {
  if (kind == ItimerKind::real) {
    if (!timers.real_deadline_ns) return {0, timers.real_interval_ns};
    std::uint64_t now = core::monotonic_ns();
    return {timers.real_deadline_ns > now ? timers.real_deadline_ns - now : 1000, timers.real_interval_ns};
  }
  CpuTimes used = cpu_times(timers.process);
  return kind == ItimerKind::virtual_time ? setting_of(timers.virtual_timer, used.user_ns)
                                          : setting_of(timers.profile_timer, used.total_ns);
}

}  // namespace

Result<TimerSetting> get_itimer(Process& process, ItimerKind kind) {
  if (static_cast<unsigned>(kind) > 2) return error(Errno::einval);
  if (!process.timers) return TimerSetting{};
  core::MutexGuard guard{process.timers->lock};
  return current_setting_locked(*process.timers, kind);
}

Result<TimerSetting> set_itimer(Process& process, ItimerKind kind, TimerSetting setting) {
  if (static_cast<unsigned>(kind) > 2) return error(Errno::einval);
  Timers& timers = *TRY(timers_of(process));
  core::MutexGuard guard{timers.lock};
  TimerSetting old = current_setting_locked(timers, kind);
  if (kind == ItimerKind::real) {
    timers.real_timer.cancel_async();
    timers.real_interval_ns = setting.interval_ns;
    timers.real_deadline_ns = setting.value_ns ? core::monotonic_ns() + setting.value_ns : 0;
    if (setting.value_ns) timers.real_timer.start(core::Deadline::at(timers.real_deadline_ns));
    return old;
  }
  CpuTimes used = cpu_times(process);
  bool is_virtual = kind == ItimerKind::virtual_time;
  auto& itimer = is_virtual ? timers.virtual_timer : timers.profile_timer;
  itimer.interval_ns = setting.interval_ns;
  itimer.threshold_ns = setting.value_ns ? (is_virtual ? used.user_ns : used.total_ns) + setting.value_ns : 0;
  timers.schedule_cpu_check_locked();
  return old;
}

}  // namespace linux_abi
