// Events as files: eventfd, timerfd, signalfd.
#pragma once

#include "linux_abi/abi/signal.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_eventfd(Context& context, unsigned initial);
Result<long> sys_eventfd2(Context& context, unsigned initial, unsigned flags);
Result<long> sys_timerfd_create(Context& context, ClockId clock, unsigned flags);
Result<long> sys_timerfd_settime(Context& context, FileDescriptor fd, unsigned flags, UserIn<Itimerspec> in,
                                 UserOut<Itimerspec> out);
Result<long> sys_timerfd_gettime(Context& context, FileDescriptor fd, UserOut<Itimerspec> out);
Result<long> sys_signalfd(Context& context, FileDescriptor fd, UserIn<SignalSet> mask, std::size_t mask_size);
Result<long> sys_signalfd4(Context& context, FileDescriptor fd, UserIn<SignalSet> mask, std::size_t mask_size,
                           unsigned flags);

namespace syscalls::events {

inline constexpr SyscallRow rows[] = {
    row<number::eventfd, sys_eventfd>("eventfd"),
    row<number::eventfd2, sys_eventfd2>("eventfd2", "EFD_CLOEXEC EFD_NONBLOCK EFD_SEMAPHORE"),
    row<number::timerfd_create, sys_timerfd_create>("timerfd_create", "TFD_CLOEXEC TFD_NONBLOCK"),
    row<number::timerfd_settime, sys_timerfd_settime>("timerfd_settime",
                                                      "TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET"),
    row<number::timerfd_gettime, sys_timerfd_gettime>("timerfd_gettime"),
    row<number::signalfd, sys_signalfd>("signalfd"),
    row<number::signalfd4, sys_signalfd4>("signalfd4", "SFD_CLOEXEC SFD_NONBLOCK"),
};

}  // namespace syscalls::events

}  // namespace linux_abi
