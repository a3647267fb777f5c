// Clocks, sleeping and timers.
#pragma once

#include "linux_abi/abi/signal.h"
#include "linux_abi/abi/time.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

// struct timex
struct Timex {
  std::uint32_t modes = 0, pad = 0;
  std::int64_t offset = 0, frequency = 0, max_error = 0, estimated_error = 0;
  std::int32_t status = 0, pad2 = 0;
  std::int64_t constant = 0, precision = 0, tolerance = 0, seconds = 0, microseconds = 0, tick = 0,
               pps_frequency = 0, jitter = 0;
  std::int32_t shift = 0, pad3 = 0;
  std::int64_t stability = 0, jitter_count = 0, calibration_count = 0, error_count = 0, stability_count = 0;
  std::int32_t tai = 0, reserved[11] = {};
};
static_assert(sizeof(Timex) == 208);

Result<long> sys_clock_gettime(Context& context, ClockId clock, UserOut<Timespec> out);
Result<long> sys_clock_settime(Context& context, ClockId clock, UserIn<Timespec> in);
Result<long> sys_clock_getres(Context& context, ClockId clock, UserOut<Timespec> out);
Result<long> sys_gettimeofday(Context& context, UserOut<Timeval> time, UserOut<Timezone> zone);
Result<long> sys_settimeofday(Context& context, UserIn<Timeval> time, UserIn<Timezone> zone);
Result<long> sys_time(Context& context, UserOut<std::int64_t> out);
Result<long> sys_nanosleep(Context& context, UserIn<Timespec> wanted, UserOut<Timespec> remaining);
Result<long> sys_clock_nanosleep(Context& context, ClockId clock, unsigned flags, UserIn<Timespec> wanted,
                                 UserOut<Timespec> remaining);
Result<long> sys_getitimer(Context& context, ItimerKind kind, UserOut<Itimerval> out);
Result<long> sys_setitimer(Context& context, ItimerKind kind, UserIn<Itimerval> in, UserOut<Itimerval> out);
Result<long> sys_alarm(Context& context, unsigned seconds);
Result<long> sys_timer_create(Context& context, ClockId clock, UserIn<SigEvent> in, UserOut<int> out);
Result<long> sys_timer_settime(Context& context, int id, unsigned flags, UserIn<Itimerspec> in,
                               UserOut<Itimerspec> out);
Result<long> sys_timer_gettime(Context& context, int id, UserOut<Itimerspec> out);
Result<long> sys_timer_getoverrun(Context& context, int id);
Result<long> sys_timer_delete(Context& context, int id);
Result<long> sys_adjtimex(Context& context, UserInOut<Timex> buffer);
Result<long> sys_clock_adjtime(Context& context, ClockId clock, UserInOut<Timex> buffer);

namespace syscalls::time {

inline constexpr SyscallRow rows[] = {
    row<number::clock_gettime, sys_clock_gettime>("clock_gettime"),
    row<number::clock_settime, sys_clock_settime>("clock_settime", "CLOCK_REALTIME"),
    row<number::clock_getres, sys_clock_getres>("clock_getres"),
    row<number::gettimeofday, sys_gettimeofday>("gettimeofday"),
    row<number::settimeofday, sys_settimeofday>("settimeofday"),
    row<number::time, sys_time>("time"),
    row<number::nanosleep, sys_nanosleep>("nanosleep"),
    row<number::clock_nanosleep, sys_clock_nanosleep>("clock_nanosleep",
                                                      "TIMER_ABSTIME; not for CPU-time clocks"),
    row<number::getitimer, sys_getitimer>("getitimer"),
    row<number::setitimer, sys_setitimer>("setitimer"),
    row<number::alarm, sys_alarm>("alarm"),
    row<number::timer_create, sys_timer_create>("timer_create", "SIGEV_SIGNAL SIGEV_NONE SIGEV_THREAD_ID"),
    row<number::timer_settime, sys_timer_settime>("timer_settime", "TIMER_ABSTIME"),
    row<number::timer_gettime, sys_timer_gettime>("timer_gettime"),
    row<number::timer_getoverrun, sys_timer_getoverrun>("timer_getoverrun"),
    row<number::timer_delete, sys_timer_delete>("timer_delete"),
    row<number::adjtimex, sys_adjtimex>("adjtimex",
                                        "frequency, slew, offset step; PLL values are kept, not acted on"),
    row<number::clock_adjtime, sys_clock_adjtime>("clock_adjtime", "CLOCK_REALTIME"),
};

}  // namespace syscalls::time

}  // namespace linux_abi
