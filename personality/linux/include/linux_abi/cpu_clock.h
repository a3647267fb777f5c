// Reading any clock a program can name: the system's, and CPU time of processes and threads
// (clock_getcpuclockid(3)).
#pragma once

#include "linux_abi/abi/time.h"
#include "linux_abi/task.h"

namespace linux_abi {

// EINVAL for clocks there are not.
Result<std::uint64_t> read_clock(Task& task, ClockId clock);

}  // namespace linux_abi
