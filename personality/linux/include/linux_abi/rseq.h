// Restartable sequences: the kernel tells a program on which CPU it runs, and sends it to the abort handler
// when a critical section was interrupted by preemption, migration or a signal (rseq(2) of Linux,
// Documentation of librseq).
#pragma once

#include "linux_abi/task.h"

namespace linux_abi {

// After the thread was switched away: new CPU number, and abort if it was inside a critical section.
void rseq_update(Task& task);
// Before a signal handler's frame is pushed.
void rseq_before_signal(Task& task);
// Whether the thread has been switched away since the area was brought up to date.
inline bool rseq_is_stale(const Task& task) {
  core::Thread& thread = task.thread();
  return task.rseq_area && thread.voluntary_switches() + thread.involuntary_switches() != task.rseq_switches;
}

}  // namespace linux_abi
