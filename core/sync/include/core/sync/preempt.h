// Keeping the current thread on its CPU.
//
//   { PreemptOff pinned; ... a few dozen instructions ... }
//
// Everything in the kernel is preemptible unless the preempt count is above zero or interrupts are off. While
// pinned a thread must not sleep (debug builds check it), and the time is bounded: never proportional to
// anything a user controls. Guards nest. The outermost one to go reschedules if a more urgent thread was
// woken meanwhile.
#pragma once

#include <arch/cpu.h>

namespace core {

// Supplied by core/sched. The preempt count has dropped to zero with a reschedule wanted: switches to the
// thread that should run, unless interrupts are off (then whoever turns them on will).
void preempt_reschedule();

class [[nodiscard]] PreemptOff {
 public:
  PreemptOff() { arch::preempt_count_add(1); }
  ~PreemptOff() {
    if (arch::preempt_count_subtract(1)) [[unlikely]]
      preempt_reschedule();
  }
  PreemptOff(const PreemptOff&) = delete;
  PreemptOff& operator=(const PreemptOff&) = delete;
};

// May this context sleep? (Not: interrupt handlers, pinned threads.)
inline bool may_sleep() { return arch::preempt_count() == 0 && arch::interrupts_enabled(); }

// A point where a long loop with interrupts just re-enabled lets others in; cheap when there is nothing to
// do.
inline void preempt_point() {
  if (arch::preempt_count_subtract(0)) [[unlikely]]
    preempt_reschedule();
}

}  // namespace core
