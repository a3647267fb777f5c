// Asynchronous I/O: Linux aio and io_uring.
#pragma once

#include "linux_abi/abi/signal.h"
#include "linux_abi/prelude.h"
#include "syscalls/async_io/aio_abi.h"
#include "syscalls/async_io/uring_abi.h"

namespace linux_abi {

// What an event carries for an error: nobody starts the call again, so an interrupted one is over.
constexpr Errno event_error(Errno code) {
  bool interrupted =
      code == Errno::interrupted_finally || (code >= Errno::restart_always && code <= Errno::restart_block);
  return interrupted ? Errno::eintr : code;
}

Result<long> sys_io_setup(Context& context, unsigned events, UserInOut<std::uint64_t> out);
Result<long> sys_io_destroy(Context& context, UserAddress id);
Result<long> sys_io_submit(Context& context, UserAddress id, long count, UserArray<std::uint64_t> blocks);
Result<long> sys_io_cancel(Context& context, UserAddress id, UserAddress block, UserAddress result);
Result<long> sys_io_getevents(Context& context, UserAddress id, long minimum, long count,
                              UserArray<AioEvent> events, UserIn<Timespec> timeout);
Result<long> sys_io_pgetevents(Context& context, UserAddress id, long minimum, long count,
                               UserArray<AioEvent> events, UserIn<Timespec> timeout,
                               UserIn<AioSignalMask> mask);
Result<long> sys_io_uring_setup(Context& context, unsigned entries, UserInOut<UringParameters> out);
Result<long> sys_io_uring_enter(Context& context, int fd, std::uint32_t count, std::uint32_t wanted,
                                std::uint32_t flags, UserAddress argument, std::size_t size);
Result<long> sys_io_uring_register(Context& context, int fd, std::uint32_t operation, UserAddress argument,
                                   std::uint32_t count);

namespace syscalls::async_io {

inline constexpr SyscallRow rows[] = {
    row<number::io_setup, sys_io_setup>("io_setup"),
    row<number::io_destroy, sys_io_destroy>("io_destroy"),
    row<number::io_submit, sys_io_submit>("io_submit", "PREAD PWRITE PREADV PWRITEV FSYNC FDSYNC POLL"),
    row<number::io_cancel, sys_io_cancel>("io_cancel"),
    row<number::io_getevents, sys_io_getevents>("io_getevents"),
    row<number::io_pgetevents, sys_io_pgetevents>("io_pgetevents"),
    row<number::io_uring_setup, sys_io_uring_setup>(
        "io_uring_setup", "all but IOPOLL, NO_MMAP, REGISTERED_FD_ONLY and HYBRID_IOPOLL (EINVAL)"),
    row<number::io_uring_enter, sys_io_uring_enter>("io_uring_enter",
                                                    "PROBE says which operations; no min_wait_usec (EINVAL)"),
    row<number::io_uring_register, sys_io_uring_register>(
        "io_uring_register", "all but tags, IOWQ_AFF, PBUF_STATUS, NAPI, CLOCK and CLONE_BUFFERS (EINVAL)"),
};

}  // namespace syscalls::async_io

}  // namespace linux_abi
