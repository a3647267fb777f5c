// Processes as files: pidfd_open, CLONE_PIDFD.
#pragma once

#include "linux_abi/task.h"

namespace linux_abi {

// `flags`: pidfd_nonblock, pidfd_thread.
Result<RefPtr<vfs::File>> open_pidfd(RefPtr<Pid> pid, unsigned flags, Task& opener);
// The Pid behind a pidfd; EBADF when the file is something else.
Result<RefPtr<Pid>> pid_of_pidfd(vfs::File& file);

}  // namespace linux_abi
