#include "linux_abi/cpu_clock.h"

#include "core/time/clock.h"

namespace linux_abi {

namespace {

// Negative ids: the bitwise complement of a pid above three bits that say what is measured.
Result<std::uint64_t> read_dynamic_clock(Task& task, int id) {
  constexpr int kind_mask = 3, profile = 0, scheduler = 2, of_thread = 4;
  int number = ~(id >> 3), kind = id & kind_mask;
  if (kind > scheduler) return error(Errno::einval);
  RefPtr<Pid> pid = number ? Pid::get(number) : RefPtr<Pid>(task.pid);
  if (!pid) return error(Errno::einval);
  if (id & of_thread) {
    RefPtr<Task> target = pid->task_reference();
    if (!target || &target->process() != &task.process()) return error(Errno::einval);
    core::Thread& thread = target->thread();
    return kind == scheduler || kind == profile ? thread.runtime_ns() : thread.user_ns();
  }
  RefPtr<Process> process = number ? pid->process_reference() : RefPtr<Process>(&task.process());
  if (!process) return error(Errno::einval);
  ResourceUsage usage = process->usage();
  return kind == scheduler || kind == profile ? usage.user_ns + usage.system_ns : usage.user_ns;
}

}  // namespace

Result<std::uint64_t> read_clock(Task& task, ClockId clock) {
  switch (clock) {
    case ClockId::realtime:
    case ClockId::realtime_alarm:
      return core::realtime_ns();
    case ClockId::monotonic:
      return core::monotonic_ns();
    case ClockId::monotonic_raw:
      return core::raw_ns();
    case ClockId::realtime_coarse:
      return core::coarse_realtime_ns();
    case ClockId::monotonic_coarse:
      return core::coarse_monotonic_ns();
    case ClockId::boottime:
    case ClockId::boottime_alarm:
      return core::boot_ns();
    case ClockId::tai:
      return core::tai_ns();
    case ClockId::thread_cpu:
      return task.thread().runtime_ns();
    case ClockId::process_cpu: {
      ResourceUsage usage = task.process().usage();
      return usage.user_ns + usage.system_ns;
    }
  }
  int id = static_cast<int>(clock);
  if (id < 0) return read_dynamic_clock(task, id);
  return error(Errno::einval);
}

}  // namespace linux_abi
