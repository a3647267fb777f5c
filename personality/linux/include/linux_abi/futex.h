// Futexes: sleeping and waking on words of user memory (futex(2)).
#pragma once

#include "core/sched/scheduler.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/task.h"

namespace linux_abi {

// FUTEX_WAKE with all bits, for clear_child_tid and robust lists; shared mapping or not is found out from the memory.
void futex_wake_address(Task& task, std::uintptr_t address, int count);
// Marks the robust mutexes of an ending thread and passes on its PI locks.
void release_robust_futexes(Task& task);

}  // namespace linux_abi
