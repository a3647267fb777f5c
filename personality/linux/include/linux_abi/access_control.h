// Checks between processes.
#pragma once

#include "linux_abi/task.h"

namespace linux_abi {

// May `task` look into the other process (pidfd_getfd, process_vm_readv, /proc/PID/mem, environ)? The rule of
// ptrace(2), "Ptrace access mode checking", with real ids: same user and dumpable, or CAP_SYS_PTRACE. EPERM,
// ESRCH.
Result<void> may_inspect(Task& task, Process& target);
// Hands the limits that memory calls look at to the address space.
void apply_memory_limits(Process& process);

}  // namespace linux_abi
