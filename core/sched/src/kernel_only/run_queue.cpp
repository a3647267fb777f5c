#include "../run_queue.h"

#include <arch/smp.h>
#include <arch/time.h>

#include "../thread_access.h"
#include "core/time/scheduler_event.h"

namespace core {

PER_CPU constinit PerCpu<RunQueue> run_queues;

bool may_run_on(Thread& thread, unsigned cpu) { return ThreadAccess::affinity(thread).test(cpu); }

void request_reschedule(RunQueue& rq) {
  if (rq.cpu == arch::cpu_index()) {
    arch::set_need_reschedule();
    return;
  }
  // One interrupt is enough until the CPU has looked.
  if (!rq.reschedule_sent.exchange(true)) arch::send_reschedule(rq.cpu);
}

void update_hints_locked(RunQueue& rq) {
  // relaxed (all): hints, rechecked under the lock by whoever acts on them.
  rq.waiting.store(rq.queues.waiting(), std::memory_order_relaxed);
  rq.runnable.store(rq.queues.runnable(), std::memory_order_relaxed);
  unsigned level = ~0u;
  if (SchedulingEntity* current = rq.queues.current()) {
    switch (current->scheduling_class) {
      case SchedulingClass::deadline:
        level = 0;
        break;
      case SchedulingClass::fixed:
        level = 100u - current->priority;
        break;
      case SchedulingClass::fair:
        level = 120;
        break;
      case SchedulingClass::idle:
        level = 140;
        break;
    }
  }
  rq.level.store(level, std::memory_order_relaxed);
}

void program_event_locked(RunQueue& rq, std::uint64_t now_ns) {
  set_scheduler_event(rq.queues.next_event_ns(now_ns));
}

void enqueue_locked(RunQueue& rq, Thread& thread, ClassQueues::Reason reason, std::uint64_t now_ns) {
  auto& entity = ThreadAccess::entity(thread);
  bool turn_over = rq.queues.account(now_ns);
  rq.queues.add(entity, now_ns, reason);
  ThreadAccess::runnable_since_ns(thread) = now_ns;
  // release: whoever sees "queued" without the lock (state()) sees the rest.
  ThreadAccess::queue_state(thread).store(ThreadAccess::QueueState::queued, std::memory_order_release);
  update_hints_locked(rq);
  if (turn_over || rq.queues.preempts(entity)) {
    request_reschedule(rq);
  } else if (is_urgent(entity) && arch::cpu_count() > 1) {
    // Some other CPU may have less urgent work: this one finds out (offer_urgent).
    request_reschedule(rq);
  } else if (rq.cpu == arch::cpu_index()) {
    program_event_locked(rq, now_ns);
  } else if (rq.queues.waiting() == 1) {
    // The CPU runs without a timer, since nobody waited: it must set one now.
    request_reschedule(rq);
  }
}

}  // namespace core
