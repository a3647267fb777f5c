// Changing how a thread is scheduled, from outside.
#include <arch/time.h>

#include "../deadline_queue.h"
#include "../entity_setup.h"
#include "../run_queue.h"
#include "../thread_access.h"
#include "core/sched/scheduler.h"
#include "core/sync/mutex.h"

namespace core {

using QueueState = ThreadAccess::QueueState;

namespace {

constinit Mutex admission_lock{"deadline admission"};
constinit DeadlineAdmission admission GUARDED_BY(admission_lock);

std::uint64_t bandwidth_of(const SchedulingParameters& parameters) {
  if (parameters.policy != Policy::deadline) return 0;
  return DeadlineAdmission::bandwidth(parameters.runtime_ns,
                                      parameters.period_ns ? parameters.period_ns : parameters.deadline_ns);
}

// Calls change(rq) with the lock of the run queue that the thread belongs to.
template <typename Function>
void with_run_queue_of(const Thread& thread, Function&& change) {
  for (;;) {
    unsigned cpu = thread.last_cpu();
    RunQueue& rq = run_queues.on(cpu);
    SpinGuard<IrqSave> guard(rq.lock);
    if (thread.last_cpu() != cpu) continue;
    change(rq);
    return;
  }
}

// Fills the entity anew, wherever the thread is. rq.lock held.
void reconfigure_locked(RunQueue& rq, Thread& thread, const SchedulingParameters& parameters,
                        Urgency effective) REQUIRES(rq.lock) {
  auto& entity = ThreadAccess::entity(thread);
  bool is_current = rq.queues.current() == &entity;
  if (!is_current && !entity.queued) {
    configure_entity(entity, parameters, effective);
    return;
  }
  std::uint64_t now_ns = arch::nanoseconds();
  rq.queues.account(now_ns);
  rq.queues.remove(entity);
  configure_entity(entity, parameters, effective);
  rq.queues.add(entity, now_ns, ClassQueues::Reason::moved);
  if (is_current) rq.queues.adopt_current(entity);
  update_hints_locked(rq);
  // Whoever runs there must be chosen again.
  request_reschedule(rq);
}

}  // namespace

// Called with the thread's pi lock held: it orders the changes of urgency.
void scheduler_urgency_changed(Thread& thread, Urgency urgency) {
  SchedulingParameters parameters = thread.parameters();
  with_run_queue_of(thread, [&](RunQueue& rq) NO_THREAD_SAFETY_ANALYSIS {  // locked by with_run_queue_of
    if (rq.idle != &thread) reconfigure_locked(rq, thread, parameters, urgency);
  });
}

base::Result<void> Thread::set_parameters(const SchedulingParameters& parameters) {
  TRY(parameters.validate());
  MutexGuard admission_guard(admission_lock);
  SchedulingParameters old = this->parameters();
  if (parameters.policy == Policy::deadline && (affinity() & online_cpus()) != online_cpus())
    return base::error(base::Errno::eperm);
  if (!admission.admit(bandwidth_of(old), bandwidth_of(parameters), arch::cpu_count()))
    return base::error(base::Errno::ebusy);
  {
    SpinGuard<PreemptOff> guard(parameters_lock_);
    parameters_ = parameters;
  }
  pi_set_own_urgency(*this, parameters.urgency());
  // The same urgency may still mean another policy, slice or budget.
  SpinGuard<PreemptOff> pi_guard(pi.lock);
  scheduler_urgency_changed(*this, pi.effective);
  return {};
}

void release_deadline_bandwidth(Thread& thread) {
  std::uint64_t bandwidth = bandwidth_of(thread.parameters());
  if (!bandwidth) return;
  MutexGuard guard(admission_lock);
  admission.release(bandwidth);
}

CpuMask Thread::affinity() const {
  CpuMask mask;
  with_run_queue_of(*this, [&](RunQueue&) { mask = affinity_; });
  return mask;
}

base::Result<void> Thread::set_affinity(const CpuMask& mask) {
  if ((mask & online_cpus()).none()) return base::error(base::Errno::einval);
  if (parameters().policy == Policy::deadline && (mask & online_cpus()) != online_cpus())
    return base::error(base::Errno::ebusy);
  bool push = false;
  {
    IrqSave interrupts_off;
    with_run_queue_of(*this, [&](RunQueue& rq) NO_THREAD_SAFETY_ANALYSIS {  // locked by with_run_queue_of
      affinity_ = mask;
      if (mask.test(rq.cpu) || queue_state_.load(std::memory_order_relaxed) != QueueState::queued) return;
      if (rq.running == this) {
        request_reschedule(rq);
        return;
      }
      rq.queues.account(arch::nanoseconds());
      rq.queues.remove(entity_);
      update_hints_locked(rq);
      queue_state_.store(QueueState::moving, std::memory_order_relaxed);
      push = true;
    });
    if (push) place_moving_thread(*this, ClassQueues::Reason::moved);
  }
  // A thread that runs elsewhere is on its way; sched_setaffinity promises that it has left. Somebody else
  // may have sent it on meanwhile.
  while (this != &current() && !mask.test(last_cpu()) && queue_state_.load() != QueueState::off &&
         affinity() == mask)
    yield();
  return {};
}

}  // namespace core
