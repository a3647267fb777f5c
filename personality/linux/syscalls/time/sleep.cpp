// nanosleep(2), clock_nanosleep(2)
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "linux_abi/cpu_clock.h"
#include "syscalls/time/rows.h"

namespace linux_abi {

namespace {

// Sleeps to a time of `clock`. CLOCK_REALTIME may be set meanwhile; then the rest is computed anew.
Result<void> sleep_until_clock(Task& task, ClockId clock, std::uint64_t until_ns) {
  for (;;) {
    std::uint64_t now = TRY(read_clock(task, clock));
    if (now >= until_ns) return {};
    TRY(core::sleep_until(core::Deadline::after(until_ns - now), core::WaitMode::interruptible));
  }
}

// arguments: [0] clock, [1] where the time left goes, or 0.
Result<long> continue_sleep(Task& task, RestartBlock& block) {
  auto clock = static_cast<ClockId>(static_cast<int>(block.arguments[0]));
  auto slept = sleep_until_clock(task, clock, block.deadline_ns);
  if (slept) return 0;
  if (slept.error() != Errno::eintr) return error(slept.error());
  if (block.arguments[1]) {
    std::uint64_t now = TRY(read_clock(task, clock));
    std::uint64_t left = block.deadline_ns > now ? block.deadline_ns - now : 0;
    TRY(UserOut<Timespec>(block.arguments[1]).write(to_timespec(left)));
  }
  block.function = continue_sleep;
  return error(Errno::restart_block);
}

Result<long> sleep_for(Task& task, ClockId clock, std::uint64_t duration_ns, UserOut<Timespec> remaining) {
  RestartBlock& block = task.restart;
  std::uint64_t now = TRY(read_clock(task, clock));
  block.deadline_ns = now + duration_ns < now ? maximum_nanoseconds : now + duration_ns;
  block.arguments[0] = static_cast<std::uint64_t>(static_cast<int>(clock));
  block.arguments[1] = remaining.address().value();
  return continue_sleep(task, block);
}

}  // namespace

Result<long> sys_nanosleep(Context& context, UserIn<Timespec> wanted, UserOut<Timespec> remaining) {
  Timespec time = TRY(wanted.read());
  if (!time.is_valid()) return error(Errno::einval);
  return sleep_for(context.task, ClockId::monotonic, to_nanoseconds(time), remaining);
}

Result<long> sys_clock_nanosleep(Context& context, ClockId clock, unsigned flags, UserIn<Timespec> wanted,
                                 UserOut<Timespec> remaining) {
  switch (clock) {
    case ClockId::realtime:
    case ClockId::monotonic:
    case ClockId::boottime:
    case ClockId::tai:
      break;
    case ClockId::process_cpu:
      return error(Errno::eopnotsupp);
    case ClockId::realtime_alarm:
    case ClockId::boottime_alarm:
      if (!context.task.can(vfs::Capability::wake_alarm)) return error(Errno::eperm);
      break;
    case ClockId::thread_cpu:
      return error(Errno::einval);
    default:
      return error(read_clock(context.task, clock) ? Errno::eopnotsupp : Errno::einval);
  }
  Timespec time = TRY(wanted.read());
  if (!time.is_valid()) return error(Errno::einval);
  if (!(flags & timer_abstime)) {
    // A relative sleep is not touched by setting the clock.
    bool settable = clock == ClockId::realtime || clock == ClockId::tai || clock == ClockId::realtime_alarm;
    return sleep_for(context.task, settable ? ClockId::monotonic : clock, to_nanoseconds(time), remaining);
  }
  auto slept = sleep_until_clock(context.task, clock, to_nanoseconds(time));
  if (!slept) return error(slept.error() == Errno::eintr ? Errno::restart_no_handler : slept.error());
  return 0;
}

}  // namespace linux_abi
