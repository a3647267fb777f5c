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

// struct mq_attr
struct QueueAttributes {
  std::int64_t flags = 0, messages_max = 0, message_size_max = 0, messages = 0;
  std::int64_t reserved[4] = {};
};
Result<long> sys_mq_open(Context& context, UserString name, unsigned flags, unsigned mode,
                         UserIn<QueueAttributes> attributes);
Result<long> sys_mq_unlink(Context& context, UserString name);
Result<long> sys_mq_timedsend(Context& context, FileDescriptor fd, UserAddress message, std::size_t size,
                              unsigned priority, UserIn<Timespec> deadline);
Result<long> sys_mq_timedreceive(Context& context, FileDescriptor fd, UserAddress message, std::size_t size,
                                 UserOut<std::uint32_t> priority, UserIn<Timespec> deadline);
Result<long> sys_mq_notify(Context& context, FileDescriptor fd, UserIn<SigEvent> event);
Result<long> sys_mq_getsetattr(Context& context, FileDescriptor fd, UserIn<QueueAttributes> wanted,
                               UserOut<QueueAttributes> old);

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
    row<number::mq_open, sys_mq_open>("mq_open"),
    row<number::mq_unlink, sys_mq_unlink>("mq_unlink"),
    row<number::mq_timedsend, sys_mq_timedsend>("mq_timedsend"),
    row<number::mq_timedreceive, sys_mq_timedreceive>("mq_timedreceive"),
    row<number::mq_notify, sys_mq_notify>("mq_notify", "SIGEV_NONE SIGEV_SIGNAL"),
    row<number::mq_getsetattr, sys_mq_getsetattr>("mq_getsetattr"),
};

}  // namespace syscalls::ipc

}  // namespace linux_abi
