// Restartable sequences: the kernel tells a program on which CPU it runs, and sends it to the abort handler
// when a critical section was interrupted by preemption, migration or a signal (rseq(2) of Linux,
// Documentation of librseq).
#pragma once

#include "linux_abi/task.h"

namespace linux_abi {

// After the thread was switched away: new CPU number, and abort if it was inside a critical section. Nothing
// for a thread without an area.
void rseq_update(Task& task);
// Before a signal handler's frame is pushed.
void rseq_before_signal(Task& task);
// Whether the thread has been switched away since rseq_update().
inline bool rseq_is_stale(const Task& task) { return task.thread().switches() != task.rseq_switches; }

}  // namespace linux_abi
