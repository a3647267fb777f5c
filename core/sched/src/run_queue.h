// The run queue of one CPU: the policies' queues plus who runs, and the rules by which threads come and go.
//
// Locking. `lock` protects everything here and, of each thread whose `cpu` is this one, its entity, affinity
// and queue state. Interrupts are off while it is held. Two run queues are locked together in the order of
// their numbers; against it the second is only tried for. The lock is taken by the thread that is leaving the
// CPU and released by the one that comes (finish_switch), so nobody sees a thread as "off the queue" whose
// stack is still in use.
//
// A thread's queue state:
//   off      asleep or not started; belongs to nobody
//   queued   in `queues` or running here
//   moving   taken out by a CPU that is about to put it elsewhere; nobody else touches it
#pragma once

#include <atomic>
#include <cstdint>

#include "class_queues.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/sync/per_cpu.h"
#include "core/sync/spin_lock.h"

namespace core {

class RunQueue {
 public:
  SpinLock lock{"run queue"};
  ClassQueues queues GUARDED_BY(lock);
  Thread* running = nullptr;  // what the CPU runs; the idle thread too
  Thread* idle = nullptr;
  unsigned cpu = 0;
  Thread* push_after_switch = nullptr;  // left the CPU because it may not run here any more
  std::uint64_t next_balance_ns = 0;
  bool look_again = false;  // another queue was busy when this CPU wanted to take something from it

  // Hints for other CPUs, written under the lock.
  std::atomic<unsigned> waiting{0};  // runnable and not running
  std::atomic<unsigned> level{~0u};  // urgency level of the running thread; ~0: idle
  std::atomic<bool> reschedule_sent{false};

  // Figures.
  std::atomic<std::uint64_t> passes{0};  // of the CPU through schedule()
  std::atomic<std::uint64_t> switches{0};
  std::atomic<std::uint64_t> user_ticks{0}, nice_ticks{0}, busy_ns{0}, idle_ns{0};
  std::atomic<std::uint64_t> switched_at_ns{0};  // when `running` came
  std::atomic<std::int64_t> uninterruptible{0};  // sum over all CPUs counts
  std::atomic<std::uint32_t> runnable{0};
  CpuStatistics reported GUARDED_BY(lock);  // what cpu_statistics() said last: times never go back

  alignas(Thread) std::byte idle_storage[sizeof(Thread)] = {};
};

extern PerCpu<RunQueue> run_queues;

inline RunQueue& this_run_queue() { return run_queues.local_unchecked(); }

// --- run_queue.cpp. All with rq.lock held and interrupts off.

// Makes the thread, whose state is off or moving and whose cpu is rq's, runnable here.
void enqueue_locked(RunQueue& rq, Thread& thread, ClassQueues::Reason reason, std::uint64_t now_ns)
    REQUIRES(rq.lock);
// Asks rq's CPU to look again.
void request_reschedule(RunQueue& rq);
void update_hints_locked(RunQueue& rq) REQUIRES(rq.lock);
// (Re)sets the timer of this CPU, which is rq's, for the next thing the policies want to see.
void program_event_locked(RunQueue& rq, std::uint64_t now_ns) REQUIRES(rq.lock);
bool may_run_on(Thread& thread, unsigned cpu);
inline bool is_urgent(const SchedulingEntity& entity) {
  return entity.scheduling_class == SchedulingClass::deadline ||
         entity.scheduling_class == SchedulingClass::fixed;
}

// --- placement.cpp

// Where a thread that becomes runnable should go. The caller holds the lock of the run queue the thread
// belongs to.
unsigned choose_cpu(Thread& thread, unsigned previous);
// This CPU would go idle: takes a waiting thread from a busier one. True if it got one.
bool pull_when_idle(RunQueue& rq, std::uint64_t now_ns) REQUIRES(rq.lock);
// A more urgent thread than any here waits elsewhere: takes it.
void pull_urgent(RunQueue& rq, std::uint64_t now_ns) REQUIRES(rq.lock);
// Somebody urgent waits here: makes a less urgent CPU come for it.
void offer_urgent(RunQueue& rq) REQUIRES(rq.lock);
// From time to time, while threads wait here: gives one to a CPU that has much less to do.
void push_for_balance(RunQueue& rq, std::uint64_t now_ns) REQUIRES(rq.lock);
void mark_idle(unsigned cpu, bool is_idle);
// Puts a thread in state `moving` on the run queue of a CPU that it may use. Interrupts off, no run queue
// locked.
void place_moving_thread(Thread& thread, ClassQueues::Reason reason);
// The second half: the thread's cpu is set already.
void finish_move(Thread& thread, ClassQueues::Reason reason);

// --- scheduler.cpp

enum class Leave : std::uint8_t { preempted, yielded, asleep, exiting };
// Interrupts off on entry and on return. Gives the CPU to the thread that should have it.
void schedule(Leave leave);
// The same for threads, which have interrupts on.
void leave_cpu(Leave leave);

}  // namespace core
