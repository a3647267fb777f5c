// Synchronisation between threads: futexes, robust lists, restartable sequences, barriers.
#pragma once

#include "linux_abi/abi/process.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_futex(Context& context, std::uintptr_t address, std::uint32_t operation, std::uint32_t value,
                       std::uint64_t timeout, std::uintptr_t second, std::uint32_t third);
Result<long> sys_futex_waitv(Context& context, UserArray<FutexWaitv> in, std::uint32_t count, unsigned flags,
                             UserIn<Timespec> timeout, ClockId clock);
Result<long> sys_futex_wake(Context& context, std::uintptr_t address, std::uint64_t mask, int count,
                            std::uint32_t flags);
Result<long> sys_futex_wait(Context& context, std::uintptr_t address, std::uint64_t value, std::uint64_t mask,
                            std::uint32_t flags, UserIn<Timespec> timeout, ClockId clock);
Result<long> sys_futex_requeue(Context& context, UserArray<FutexWaitv> in, unsigned flags, int wake,
                               int move);
Result<long> sys_set_robust_list(Context& context, std::uintptr_t head, std::size_t size);
Result<long> sys_get_robust_list(Context& context, int id, UserOut<std::uintptr_t> head,
                                 UserOut<std::size_t> size);
Result<long> sys_rseq(Context& context, std::uintptr_t area, std::uint32_t length, int flags,
                      std::uint32_t signature);
Result<long> sys_membarrier(Context& context, int command, unsigned flags, int cpu);

namespace syscalls::synchronisation {

inline constexpr SyscallRow rows[] = {
    row<number::futex, sys_futex>("futex", "all operations but FUTEX_FD (ENOSYS)"),
    row<number::futex_waitv, sys_futex_waitv>("futex_waitv"),
    row<number::futex_wake, sys_futex_wake>("futex_wake"),
    row<number::futex_wait, sys_futex_wait>("futex_wait"),
    row<number::futex_requeue, sys_futex_requeue>("futex_requeue"),
    row<number::set_robust_list, sys_set_robust_list>("set_robust_list"),
    row<number::get_robust_list, sys_get_robust_list>("get_robust_list"),
    row<number::rseq, sys_rseq>("rseq"),
    row<number::membarrier, sys_membarrier>("membarrier"),
};

}  // namespace syscalls::synchronisation

}  // namespace linux_abi
