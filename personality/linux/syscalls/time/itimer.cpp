// setitimer(2), getitimer(2), alarm(2)
#include "linux_abi/timers.h"
#include "syscalls/time/rows.h"

namespace linux_abi {

namespace {

Itimerval to_itimerval(TimerSetting setting) {
  // What is less than a microsecond away has not expired yet.
  std::uint64_t value = setting.value_ns && setting.value_ns < 1000 ? 1000 : setting.value_ns;
  return {to_timeval(setting.interval_ns), to_timeval(value)};
}

}  // namespace

Result<long> sys_getitimer(Context& context, ItimerKind kind, UserOut<Itimerval> out) {
  TRY(out.write(to_itimerval(TRY(get_itimer(context.process, kind)))));
  return 0;
}

Result<long> sys_setitimer(Context& context, ItimerKind kind, UserIn<Itimerval> in, UserOut<Itimerval> out) {
  Itimerval wanted;
  if (in) wanted = TRY(in.read());
  if (!wanted.value.is_valid() || !wanted.interval.is_valid()) return error(Errno::einval);
  TimerSetting setting{to_nanoseconds(wanted.value), to_nanoseconds(wanted.interval)};
  TimerSetting old = TRY(set_itimer(context.process, kind, setting));
  if (out) TRY(out.write(to_itimerval(old)));
  return 0;
}

Result<long> sys_alarm(Context& context, unsigned seconds) {
  TimerSetting old =
      TRY(set_itimer(context.process, ItimerKind::real, {seconds * nanoseconds_per_second, 0}));
  // Rounded to the nearest second, but never to nothing while something is pending.
  std::uint64_t left = (old.value_ns + nanoseconds_per_second / 2) / nanoseconds_per_second;
  if (old.value_ns && !left) left = 1;
  return static_cast<long>(left);
}

}  // namespace linux_abi
