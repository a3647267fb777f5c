// Programs that the kernel starts by itself: a process of root in the initial directories, a child of nobody
// who would wait for it.
#pragma once

#include <span>

#include "base/string.h"
#include "linux_abi/task.h"

namespace linux_abi {

struct UserHelper {
  base::Vector<base::String> arguments;  // [0] is the path
  RefPtr<vfs::File> standard_input;
  std::uint64_t core_limit = 0;
};
// Returns when the program is in place, or with the error of execve. The process is referenced: its end shows
// in Process::state and wakes Pid::exit_queue.
Result<RefPtr<Process>> start_user_helper(UserHelper helper);

// The helper's thread, before it enters user mode the first time.
void run_user_helper(Task& task);

}  // namespace linux_abi
