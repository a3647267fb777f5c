// System V IPC: shared memory, semaphores, message queues.
#pragma once

#include "linux_abi/abi/time.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_shmget(Context& context, std::uint32_t key, std::size_t size, unsigned flags);
Result<long> sys_shmat(Context& context, int id, std::uintptr_t address, unsigned flags);
Result<long> sys_shmdt(Context& context, std::uintptr_t address);
Result<long> sys_shmctl(Context& context, int id, int command, UserAddress argument);
Result<long> sys_semget(Context& context, std::uint32_t key, int count, unsigned flags);
Result<long> sys_semop(Context& context, int id, UserAddress operations, std::size_t count);
Result<long> sys_semtimedop(Context& context, int id, UserAddress operations, std::size_t count,
                            UserIn<Timespec> limit);
Result<long> sys_semctl(Context& context, int id, int number, int command, std::uintptr_t argument);
Result<long> sys_msgget(Context& context, std::uint32_t key, unsigned flags);
Result<long> sys_msgsnd(Context& context, int id, UserAddress message, std::size_t size, unsigned flags);
Result<long> sys_msgrcv(Context& context, int id, UserAddress message, std::size_t size, std::int64_t kind,
                        unsigned flags);
Result<long> sys_msgctl(Context& context, int id, int command, UserAddress argument);

namespace syscalls::ipc {

inline constexpr SyscallRow rows[] = {
    row<number::shmget, sys_shmget>("shmget", "all but SHM_HUGETLB (ENOSYS)"),
    row<number::shmat, sys_shmat>("shmat"),
    row<number::shmdt, sys_shmdt>("shmdt"),
    row<number::shmctl, sys_shmctl>("shmctl"),
    row<number::semget, sys_semget>("semget"),
    row<number::semop, sys_semop>("semop"),
    row<number::semtimedop, sys_semtimedop>("semtimedop"),
    row<number::semctl, sys_semctl>("semctl"),
    row<number::msgget, sys_msgget>("msgget"),
    row<number::msgsnd, sys_msgsnd>("msgsnd"),
    row<number::msgrcv, sys_msgrcv>("msgrcv", "all but MSG_COPY (ENOSYS)"),
    row<number::msgctl, sys_msgctl>("msgctl"),
};

}  // namespace syscalls::ipc

}  // namespace linux_abi
