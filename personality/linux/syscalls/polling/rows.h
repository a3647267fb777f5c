// Waiting for files: poll, select and epoll.
#pragma once

#include "linux_abi/abi/poll.h"
#include "linux_abi/abi/signal.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_poll(Context& context, UserArray<PollDescriptor> list, unsigned count, int timeout_ms);
Result<long> sys_ppoll(Context& context, UserArray<PollDescriptor> list, unsigned count,
                       UserInOut<Timespec> timeout, UserIn<SignalSet> mask, std::size_t mask_size);
Result<long> sys_select(Context& context, int count, UserAddress readable, UserAddress writable,
                        UserAddress exceptional, UserInOut<Timeval> timeout);
Result<long> sys_pselect6(Context& context, int count, UserAddress readable, UserAddress writable,
                          UserAddress exceptional, UserInOut<Timespec> timeout, UserIn<PselectMask> mask);
Result<long> sys_epoll_create(Context& context, int size);
Result<long> sys_epoll_create1(Context& context, unsigned flags);
Result<long> sys_epoll_ctl(Context& context, FileDescriptor epoll, int operation, FileDescriptor fd,
                           UserAddress event);
Result<long> sys_epoll_wait(Context& context, FileDescriptor epoll, UserAddress events, int maximum,
                            int timeout_ms);
Result<long> sys_epoll_pwait(Context& context, FileDescriptor epoll, UserAddress events, int maximum,
                             int timeout_ms, UserIn<SignalSet> mask, std::size_t mask_size);
Result<long> sys_epoll_pwait2(Context& context, FileDescriptor epoll, UserAddress events, int maximum,
                              UserIn<Timespec> timeout, UserIn<SignalSet> mask, std::size_t mask_size);

namespace syscalls::polling {

inline constexpr SyscallRow rows[] = {
    row<number::poll, sys_poll>("poll"),
    row<number::ppoll, sys_ppoll>("ppoll"),
    row<number::select, sys_select>("select"),
    row<number::pselect6, sys_pselect6>("pselect6"),
    row<number::epoll_create, sys_epoll_create>("epoll_create"),
    row<number::epoll_create1, sys_epoll_create1>("epoll_create1", "EPOLL_CLOEXEC"),
    row<number::epoll_ctl, sys_epoll_ctl>("epoll_ctl",
                                          "EPOLL_CTL_ADD EPOLL_CTL_MOD EPOLL_CTL_DEL; EPOLLET EPOLLONESHOT "
                                          "EPOLLEXCLUSIVE EPOLLWAKEUP (without effect)"),
    row<number::epoll_wait, sys_epoll_wait>("epoll_wait"),
    row<number::epoll_pwait, sys_epoll_pwait>("epoll_pwait"),
    row<number::epoll_pwait2, sys_epoll_pwait2>("epoll_pwait2"),
};

}  // namespace syscalls::polling

}  // namespace linux_abi
