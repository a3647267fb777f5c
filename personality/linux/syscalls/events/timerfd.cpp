// timerfd_create(2)
#include "event/timer_file.h"
#include "linux_abi/abi/file.h"
#include "syscalls/events/rows.h"

namespace linux_abi {

namespace {

using event::TimerFile;

constexpr unsigned tfd_timer_cancel_on_set = 2;

Itimerspec to_itimerspec(const event::TimerSetting& setting) {
  return {to_timespec(setting.interval_ns), to_timespec(setting.value_ns)};
}

Result<TimerFile*> timer_of(vfs::File& file) {
  auto* timer = file.as<TimerFile>();
  if (!timer) return error(Errno::einval);
  return timer;
}

}  // namespace

Result<long> sys_timerfd_create(Context& context, ClockId clock, unsigned flags) {
  if (flags & ~(o_cloexec | o_nonblock)) return error(Errno::einval);
  bool alarm = clock == ClockId::realtime_alarm || clock == ClockId::boottime_alarm;
  if (clock != ClockId::realtime && clock != ClockId::monotonic && clock != ClockId::boottime && !alarm)
    return error(Errno::einval);
  if (alarm && !context.task.can(vfs::Capability::wake_alarm)) return error(Errno::eperm);
  auto file = TRY(TimerFile::create(static_cast<event::TimerClock>(clock), flags & o_nonblock,
                                    context.task.credentials_reference()));
  return TRY(context.task.files->add(std::move(file), flags & o_cloexec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<long> sys_timerfd_settime(Context& context, FileDescriptor fd, unsigned flags, UserIn<Itimerspec> in,
                                 UserOut<Itimerspec> out) {
  if (flags & ~(timer_abstime | tfd_timer_cancel_on_set)) return error(Errno::einval);
  Itimerspec setting = TRY(in.read());
  if (!setting.value.is_valid() || !setting.interval.is_valid()) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  TimerFile* timer = TRY(timer_of(*file));
  auto before = timer->set(
      {to_nanoseconds(setting.value), to_nanoseconds(setting.interval)},
      flags & timer_abstime ? TimerFile::Start::absolute : TimerFile::Start::relative,
      flags & tfd_timer_cancel_on_set ? TimerFile::OnClockSet::cancel : TimerFile::OnClockSet::ignore);
  if (out) TRY(out.write(to_itimerspec(before)));
  return 0;
}

Result<long> sys_timerfd_gettime(Context& context, FileDescriptor fd, UserOut<Itimerspec> out) {
  FileUse file = TRY(context.task.files->use(fd.number));
  TimerFile* timer = TRY(timer_of(*file));
  TRY(out.write(to_itimerspec(timer->get())));
  return 0;
}

}  // namespace linux_abi
