// getrusage(2), times(2)
#include "core/time/clock.h"
#include "linux_abi/wait.h"
#include "syscalls/process/rows.h"

namespace linux_abi {

Result<long> sys_getrusage(Context& context, RusageWho who, UserOut<Rusage> out) {
  ResourceUsage usage;
  switch (who) {
    case RusageWho::self:
      usage = context.process.usage();
      break;
    case RusageWho::thread:
      usage = thread_usage(context.task);
      break;
    case RusageWho::children: {
      core::MutexGuard guard{process_tree_lock()};
      usage = context.process.waited_children;
      break;
    }
    default:
      return error(Errno::einval);
  }
  if (who != RusageWho::children)
    if (auto space = context.process.address_space()) usage.max_rss_kib = space->usage().resident_peak * 4;
  TRY(out.write(to_rusage(usage)));
  return 0;
}

Result<long> sys_times(Context& context, UserOut<Tms> out) {
  constexpr std::uint64_t tick_ns = nanoseconds_per_second / user_ticks_per_second;
  if (out) {
    ResourceUsage own = context.process.usage(), children;
    {
      core::MutexGuard guard{process_tree_lock()};
      children = context.process.waited_children;
    }
    auto ticks = [](std::uint64_t ns) { return static_cast<std::int64_t>(ns / tick_ns); };
    TRY(out.write(
        {ticks(own.user_ns), ticks(own.system_ns), ticks(children.user_ns), ticks(children.system_ns)}));
  }
  return static_cast<long>(core::monotonic_ns() / tick_ns);
}

}  // namespace linux_abi
