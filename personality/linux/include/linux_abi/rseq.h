// Restartable sequences: the kernel tells a program on which CPU it runs, and sends it to the abort handler
// when a critical section was interrupted by preemption, migration or a signal (rseq(2) of Linux,
// Documentation of librseq).
#pragma once

#include "linux_abi/task.h"

namespace linux_abi {

struct RseqArea {
  std::uintptr_t address = 0;  // 0: none
  std::uint32_t length = 0, signature = 0;
};

// By the task's own thread, or before that one starts. From then on each switch away from the thread leaves
// task_work::rseq behind.
void rseq_set_area(Task& task, const RseqArea& area);
// What task_work::rseq asks for: new CPU number, and abort if it was inside a critical section. Nothing for a
// thread without an area.
void rseq_update(Task& task);
// Before a signal handler's frame is pushed.
void rseq_before_signal(Task& task);

}  // namespace linux_abi
