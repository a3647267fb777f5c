// Birth, change and end of processes: the operations behind clone, execve, exit and wait.
#pragma once

#include <span>
#include <string_view>

#include "linux_abi/abi/types.h"
#include "linux_abi/syscall.h"
#include "linux_abi/task.h"

namespace linux_abi {

// The body of every task: runs user code until it ends. Entry of the core thread.
[[noreturn]] void thread_loop(Task& task);

// What the table of system calls holds where nobody wrote a row.
long missing_system_call(Context& context);

// clone: the new thread, started. `wanted_ids` is clone3's set_tid.
Result<long> clone_task(Context& context, const CloneArguments& arguments, std::span<const int> wanted_ids);

// Ends the running thread; `status` as wait reports it.
[[noreturn]] void exit_task(Task& task, int status);
// Makes every thread of the process end with this status; the caller returns to the loop and ends there.
void begin_group_exit(Process& process, int status);
[[noreturn]] void exit_group(Task& task, int status);

// Starts the first program (init=, rdinit=) as process 1. Called once, from the init thread of the kernel.
void run_init_process();
// Its thread, before it enters user mode the first time: finds and loads the program.
void first_thread(Task& task);

}  // namespace linux_abi
