// Going to sleep and being woken: what every sleeping lock and queue is built on. Supplied by core/sched (by
// pthreads on the host). Code outside core/ uses WaitQueue, Completion or Mutex instead.
//
// The protocol that loses no wake-up:
//
//   sleeper                                   waker
//   1. makes itself findable                  1. makes the condition true
//   2. sleep_begin(mode)                      2. finds the sleeper
//   3. looks at the condition once more       3. wake(thread)
//   4. sleep_commit(deadline) or sleep_cancel()
//
// wake() between 2 and 4 makes sleep_commit return at once. Both steps 2 and wake() are full barriers, so
// either the sleeper sees the condition or the waker sees the sleeper. A wake may always be one too many:
// callers look again.
#pragma once

#include <cstdint>

#include "core/sync/deadline.h"
#include "core/sync/urgency.h"

namespace core {

class Thread;
class ThreadBase;

enum class SleepResult : std::uint8_t { woken, timed_out, interrupted };

void sleep_begin(WaitMode mode);
void sleep_cancel();
// Sleeps until wake(), the deadline, or an interruption that `mode` of sleep_begin admits. The caller may
// sleep.
SleepResult sleep_commit(Deadline deadline);

// Makes the thread runnable if it is in sleep_begin..sleep_commit. True if it was. Callable from any context,
// also with raw locks held (but none of core/sched's own); constant time. The caller guarantees that the
// thread exists: the lock under which it was found, a reference, or RCU.
bool wake(Thread& thread);

// Would a wait in this mode be cut short now?
bool interruption_pending(WaitMode mode);

// The thread's own or lent urgency changed: requeue it. Called by the PI code with the thread's pi lock held.
void scheduler_urgency_changed(Thread& thread, Urgency urgency);

// Is the thread on a CPU right now? A hint for spinning on a lock whose owner is about to release it.
bool is_running_hint(const Thread& thread);

}  // namespace core
