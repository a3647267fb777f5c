// core/sync/blocking.h: how threads sleep and are woken.
#include "core/sync/blocking.h"

#include <arch/time.h>

#include "../entity_setup.h"
#include "../run_queue.h"
#include "../thread_access.h"
#include "core/time/timer.h"

namespace core {

using Sleep = ThreadAccess::Sleep;
using QueueState = ThreadAccess::QueueState;

void sleep_begin(WaitMode mode) {
  Sleep sleep = mode == WaitMode::interruptible ? Sleep::interruptible
                : mode == WaitMode::killable    ? Sleep::killable
                                                : Sleep::uninterruptible;
  ThreadAccess::sleep(Thread::current()).store(sleep);
}

// relaxed: nobody draws conclusions from a thread being awake.
void sleep_cancel() { ThreadAccess::sleep(Thread::current()).store(Sleep::awake, std::memory_order_relaxed); }

namespace {

struct WakeUpCall {
  Thread& thread;
  Timer timer{[](Timer& timer) { wake(base::container_of(&timer, &WakeUpCall::timer)->thread); },
              TimerContext::interrupt};
};

}  // namespace

SleepResult sleep_commit(Deadline deadline) {
  Thread& self = Thread::current();
  base::debug_verify(may_sleep(), "sleeping where the thread may not sleep");
  base::debug_verify(self.rcu.nesting == 0, "sleeping inside an RCU reader");
  auto& sleep = ThreadAccess::sleep(self);
  Sleep begun = sleep.load();
  if (begun == Sleep::awake) return SleepResult::woken;
  WaitMode mode = mode_of(begun);
  SleepResult result = SleepResult::woken;
  if (self.interrupted(mode)) {
    result = SleepResult::interrupted;
  } else if (deadline.is_never()) {
    leave_cpu(Leave::asleep);
    if (self.interrupted(mode)) result = SleepResult::interrupted;
  } else if (deadline.is_over()) {
    result = SleepResult::timed_out;
  } else {
    WakeUpCall call{self};
    call.timer.start(deadline);
    leave_cpu(Leave::asleep);
    call.timer.cancel();
    if (self.interrupted(mode))
      result = SleepResult::interrupted;
    else if (deadline.is_over())
      result = SleepResult::timed_out;
  }
  sleep.store(Sleep::awake, std::memory_order_relaxed);  // as sleep_cancel
  return result;
}

bool wake(Thread& thread) {
  if (ThreadAccess::sleep(thread).exchange(Sleep::awake) == Sleep::awake) return false;
  IrqSave interrupts_off;
  for (;;) {
    // acquire: pairs with the move to another queue.
    unsigned cpu = thread.last_cpu();
    RunQueue& rq = run_queues.on(cpu);
    SpinGuard<IrqsAlreadyOff> guard(rq.lock);
    if (thread.last_cpu() != cpu) continue;
    // Still on its way to sleep: it will find itself awake. Or on its way to a queue already.
    auto& state = ThreadAccess::queue_state(thread);
    if (state.load(std::memory_order_relaxed) != QueueState::off) return true;
    // It woke by itself and ended while we waited for the lock: there is nobody to wake any more.
    if (thread.state() == RunState::dead) return true;
    // Not by `slept`: the thread may have woken and gone to sleep again since.
    if (ThreadAccess::counted_uninterruptible(thread))
      rq.uninterruptible.fetch_sub(1, std::memory_order_relaxed);
    unsigned target = choose_cpu(thread, cpu);
    if (target == cpu) {
      enqueue_locked(rq, thread, ClassQueues::Reason::woken, arch::nanoseconds());
      return true;
    }
    state.store(QueueState::moving, std::memory_order_relaxed);
    // release: whoever locks the target's queue because of it sees `moving`.
    ThreadAccess::cpu(thread).store(target, std::memory_order_release);
    break;
  }
  finish_move(thread, ClassQueues::Reason::woken);
  return true;
}

bool is_running_hint(const Thread& thread) {
  return ThreadAccess::on_cpu(thread).load(std::memory_order_relaxed);
}

}  // namespace core
