// How threads are scheduled.
#pragma once

#include "linux_abi/abi/process.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_sched_setscheduler(Context& context, int id, int policy, UserIn<SchedulingParameter> in);
Result<long> sys_sched_setparam(Context& context, int id, UserIn<SchedulingParameter> in);
Result<long> sys_sched_getscheduler(Context& context, int id);
Result<long> sys_sched_getparam(Context& context, int id, UserOut<SchedulingParameter> out);
Result<long> sys_sched_setattr(Context& context, int id, UserAddress in, unsigned flags);
Result<long> sys_sched_getattr(Context& context, int id, UserAddress out, unsigned size, unsigned flags);
Result<long> sys_sched_get_priority_max(Context& context, int policy);
Result<long> sys_sched_get_priority_min(Context& context, int policy);
Result<long> sys_sched_rr_get_interval(Context& context, int id, UserOut<Timespec> out);
Result<long> sys_sched_yield(Context& context);
Result<long> sys_sched_setaffinity(Context& context, int id, unsigned size, UserBuffer in);
Result<long> sys_sched_getaffinity(Context& context, int id, unsigned size, UserBuffer out);
Result<long> sys_getcpu(Context& context, UserOut<std::uint32_t> cpu, UserOut<std::uint32_t> node);
Result<long> sys_getpriority(Context& context, int which, int who);
Result<long> sys_ioprio_set(Context& context, int which, int who, int value);
Result<long> sys_ioprio_get(Context& context, int which, int who);
Result<long> sys_setpriority(Context& context, int which, int who, int nice);

namespace syscalls::scheduling {

inline constexpr SyscallRow rows[] = {
    row<number::ioprio_set, sys_ioprio_set>("ioprio_set", "no scheduler of disks looks at it"),
    row<number::ioprio_get, sys_ioprio_get>("ioprio_get"),
    row<number::sched_setscheduler, sys_sched_setscheduler>("sched_setscheduler"),
    row<number::sched_setparam, sys_sched_setparam>("sched_setparam"),
    row<number::sched_getscheduler, sys_sched_getscheduler>("sched_getscheduler"),
    row<number::sched_getparam, sys_sched_getparam>("sched_getparam"),
    row<number::sched_setattr, sys_sched_setattr>("sched_setattr",
                                                  "all but SCHED_FLAG_UTIL_CLAMP (EOPNOTSUPP)"),
    row<number::sched_getattr, sys_sched_getattr>("sched_getattr"),
    row<number::sched_get_priority_max, sys_sched_get_priority_max>("sched_get_priority_max"),
    row<number::sched_get_priority_min, sys_sched_get_priority_min>("sched_get_priority_min"),
    row<number::sched_rr_get_interval, sys_sched_rr_get_interval>("sched_rr_get_interval"),
    row<number::sched_yield, sys_sched_yield>("sched_yield"),
    row<number::sched_setaffinity, sys_sched_setaffinity>("sched_setaffinity"),
    row<number::sched_getaffinity, sys_sched_getaffinity>("sched_getaffinity"),
    row<number::getcpu, sys_getcpu>("getcpu"),
    row<number::getpriority, sys_getpriority>("getpriority"),
    row<number::setpriority, sys_setpriority>("setpriority"),
};

}  // namespace syscalls::scheduling

}  // namespace linux_abi
