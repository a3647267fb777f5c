// Waiting for children: what wait4 and waitid share.
#pragma once

#include <optional>

#include "linux_abi/task.h"

namespace linux_abi {

struct WaitRequest {
  WaitId kind = WaitId::all;
  RefPtr<Pid> pid;       // of kind pid, pgid, pidfd; null: matches nobody
  unsigned options = 0;  // wexited, wstopped, wcontinued, wnohang, wnowait, wall, wclone
};

struct WaitResult {
  int pid = 0;  // 0: nothing to report (WNOHANG)
  std::uint32_t uid = 0;
  int code = 0;         // CLD_*
  int status = 0;       // exit code or signal, as in siginfo
  int wait_status = 0;  // as wait4 encodes it
  ResourceUsage usage;
};

// ECHILD, or EINTR (restartable).
Result<WaitResult> wait_for_child(Task& task, const WaitRequest& request);
Rusage to_rusage(const ResourceUsage& usage);

}  // namespace linux_abi
