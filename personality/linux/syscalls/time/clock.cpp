// clock_gettime(2), clock_settime(2), clock_getres(2), gettimeofday(2), settimeofday(2), time(2)
#include <atomic>

#include "core/time/clock.h"
#include "linux_abi/cpu_clock.h"
#include "syscalls/time/rows.h"

namespace linux_abi {

namespace {
constinit std::atomic<std::int32_t> minutes_west{0}, dst_time{0};
}

Result<long> sys_clock_gettime(Context& context, ClockId clock, UserOut<Timespec> out) {
  std::uint64_t now = TRY(read_clock(context.task, clock));
  TRY(out.write(to_timespec(now)));
  return 0;
}

Result<long> sys_clock_settime(Context& context, ClockId clock, UserIn<Timespec> in) {
  if (clock != ClockId::realtime) {
    TRY(read_clock(context.task, clock));
    return error(Errno::einval);
  }
  Timespec time = TRY(in.read());
  if (!time.is_valid()) return error(Errno::einval);
  if (!context.task.can(vfs::Capability::sys_time)) return error(Errno::eperm);
  TRY(core::set_realtime(to_nanoseconds(time)));
  return 0;
}

Result<long> sys_clock_getres(Context& context, ClockId clock, UserOut<Timespec> out) {
  TRY(read_clock(context.task, clock));
  bool coarse = clock == ClockId::realtime_coarse || clock == ClockId::monotonic_coarse;
  if (out) TRY(out.write(to_timespec(coarse ? core::coarse_resolution_ns : 1)));
  return 0;
}

Result<long> sys_gettimeofday(Context&, UserOut<Timeval> time, UserOut<Timezone> zone) {
  if (time) TRY(time.write(to_timeval(core::realtime_ns())));
  if (zone) TRY(zone.write({minutes_west.load(), dst_time.load()}));
  return 0;
}

Result<long> sys_settimeofday(Context& context, UserIn<Timeval> time, UserIn<Timezone> zone) {
  if (!context.task.can(vfs::Capability::sys_time)) return error(Errno::eperm);
  if (zone) {
    Timezone value = TRY(zone.read());
    if (value.minutes_west > 15 * 60 || value.minutes_west < -15 * 60) return error(Errno::einval);
    minutes_west.store(value.minutes_west);
    dst_time.store(value.dst_time);
  }
  if (time) {
    Timeval value = TRY(time.read());
    if (!value.is_valid()) return error(Errno::einval);
    TRY(core::set_realtime(to_nanoseconds(value)));
  }
  return 0;
}

Result<long> sys_time(Context&, UserOut<std::int64_t> out) {
  auto seconds = static_cast<std::int64_t>(core::realtime_ns() / nanoseconds_per_second);
  if (out) TRY(out.write(seconds));
  return seconds;
}

}  // namespace linux_abi
