// The switch from one thread to the next, and everything that leads to it.
#include "core/sched/scheduler.h"

#include <arch/smp.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "../run_queue.h"
#include "../thread_access.h"
#include "core/log/log.h"
#include "core/memory/address_space.h"
#include "core/sync/rcu.h"
#include "core/time/scheduler_event.h"

namespace core {

namespace {

using QueueState = ThreadAccess::QueueState;

// The thread leaves the processor: its time since it came, for it and for the CPU. rq.lock held.
void charge(RunQueue& rq, Thread& thread, std::uint64_t now_ns) {
  std::uint64_t since = rq.switched_at_ns.load(std::memory_order_relaxed);
  std::uint64_t ran = now_ns > since ? now_ns - since : 0;
  // relaxed (all): statistics with one writer.
  rq.switched_at_ns.store(now_ns, std::memory_order_relaxed);
  if (&thread == rq.idle) {
    rq.idle_ns.store(rq.idle_ns.load(std::memory_order_relaxed) + ran, std::memory_order_relaxed);
    return;
  }
  rq.busy_ns.store(rq.busy_ns.load(std::memory_order_relaxed) + ran, std::memory_order_relaxed);
  auto& run = ThreadAccess::run_ns(thread);
  run.store(run.load(std::memory_order_relaxed) + ran, std::memory_order_relaxed);
  ThreadAccess::switched_in_at_ns(thread).store(0, std::memory_order_relaxed);
  auto& user_ticks = ThreadAccess::user_ticks(thread);
  std::int64_t ticks = user_ticks.load(std::memory_order_relaxed);
  if (ticks < 0) {
    // On the way to user mode: the time until it comes back is not its own.
    ticks += static_cast<std::int64_t>(arch::counter());
    user_ticks.store(ticks, std::memory_order_relaxed);
    ThreadAccess::user_clock_paused(thread) = true;
  }
  auto& charged = ThreadAccess::user_ticks_charged(thread);
  if (ticks <= charged) return;
  auto fresh = static_cast<std::uint64_t>(ticks - charged);
  charged = ticks;
  bool is_nice = ThreadAccess::entity(thread).weight < fair_unit_weight;
  auto& sum = is_nice ? rq.nice_ticks : rq.user_ticks;
  sum.store(sum.load(std::memory_order_relaxed) + fresh, std::memory_order_relaxed);
}

// The thread comes to the processor. rq.lock held.
void welcome(RunQueue& rq, Thread& thread, std::uint64_t now_ns) {
  if (&thread == rq.idle) return;
  ThreadAccess::switched_in_at_ns(thread).store(now_ns, std::memory_order_relaxed);
  std::uint64_t since = ThreadAccess::runnable_since_ns(thread);
  if (now_ns > since) {
    auto& wait = ThreadAccess::wait_ns(thread);
    wait.store(wait.load(std::memory_order_relaxed) + (now_ns - since), std::memory_order_relaxed);
  }
  if (ThreadAccess::user_clock_paused(thread)) {
    ThreadAccess::user_clock_paused(thread) = false;
    auto& ticks = ThreadAccess::user_ticks(thread);
    ticks.store(ticks.load(std::memory_order_relaxed) - static_cast<std::int64_t>(arch::counter()),
                std::memory_order_relaxed);
  }
}

void count_switch(Thread& thread) {
  auto& switches = ThreadAccess::switches(thread);
  switches.store(switches.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Thread::note_switches(). relaxed: the thread itself reads the word, after it was switched to.
void note_switch(Thread& thread, Leave leave) {
  auto* word = ThreadAccess::switch_word(thread);
  if (!word) return;
  word->fetch_or(ThreadAccess::switch_bits(thread), std::memory_order_relaxed);
  // It may be past its last look at the word.
  if (leave == Leave::preempted) arch::interrupt_user(thread.arch_state);
}

// Takes the running thread out of its role, as its reason for leaving demands. rq.lock held.
void put_aside(RunQueue& rq, Thread& thread, Leave leave, std::uint64_t now_ns) REQUIRES(rq.lock) {
  if (&thread == rq.idle) return;
  auto& entity = ThreadAccess::entity(thread);
  auto& state = ThreadAccess::queue_state(thread);
  auto sleep = ThreadAccess::sleep(thread).load();
  bool leaves = leave == Leave::exiting || (leave == Leave::asleep && sleep != ThreadAccess::Sleep::awake);
  if (leaves) {
    rq.queues.remove(entity);
    bool counts = leave == Leave::asleep && sleep != ThreadAccess::Sleep::interruptible;
    ThreadAccess::counted_uninterruptible(thread) = counts;
    if (counts) rq.uninterruptible.fetch_add(1, std::memory_order_relaxed);
    // release: wake() that sees `off` may use the thread as soon as it has the lock.
    state.store(QueueState::off, std::memory_order_release);
    count_switch(thread);
    return;
  }
  if (!may_run_on(thread, rq.cpu)) {
    rq.queues.remove(entity);
    state.store(QueueState::moving, std::memory_order_release);
    rq.push_after_switch = &thread;
    return;
  }
  ThreadAccess::runnable_since_ns(thread) = now_ns;
  rq.queues.put_current(leave == Leave::yielded ? ClassQueues::Put::yielded : ClassQueues::Put::preempted,
                        now_ns);
}

Thread& pick_next(RunQueue& rq, std::uint64_t now_ns) REQUIRES(rq.lock) {
  pull_urgent(rq, now_ns);
  SchedulingEntity* next = rq.queues.pick(now_ns);
  if (!next && pull_when_idle(rq, now_ns)) next = rq.queues.pick(now_ns);
  return next ? ThreadAccess::of_entity(*next) : *rq.idle;
}

// On the stack of the thread that has come: ends what schedule() of the other one began. The lock was handed
// over with the CPU, which the analysis cannot follow.
void finish_switch(Thread& left) NO_THREAD_SAFETY_ANALYSIS {
  RunQueue& rq = this_run_queue();
  Thread& current = *rq.running;
  arch::set_preempt_count(ThreadAccess::saved_preempt_count(current));
  // release: the last use of its stack is over.
  ThreadAccess::on_cpu(left).store(false, std::memory_order_release);
  Thread* push = rq.push_after_switch;
  rq.push_after_switch = nullptr;
  bool is_dead = left.state() == RunState::dead;
  rq.lock.release_raw();
  if (push) place_moving_thread(*push, ClassQueues::Reason::moved);
  if (is_dead) left.release_reference();
  check_timer_program();
}

}  // namespace

// As finish_switch.
void schedule(Leave leave) NO_THREAD_SAFETY_ANALYSIS {
  RunQueue& rq = this_run_queue();
  Thread& previous = *rq.running;
  base::debug_verify(leave != Leave::asleep || arch::preempt_count() == 0, "sleeping with preemption off");
  rcu_note_context_switch(previous);
  // Preempted means that no lock is held: the place to wake readers of the log for code that could not.
  if (leave == Leave::preempted && log_wake_wanted.load(std::memory_order_relaxed)) [[unlikely]]
    deliver_log_wake();
  rq.lock.acquire_raw();
  rq.passes.store(rq.passes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  // A request from now on sends its own interrupt. The exchange is also the fence that keeps the looks at
  // other queues below from passing it: offer_urgent() makes its request without our lock.
  if (rq.reschedule_sent.load(std::memory_order_relaxed)) rq.reschedule_sent.exchange(false);
  std::uint64_t now_ns = arch::nanoseconds();
  rq.queues.account(now_ns);
  put_aside(rq, previous, leave, now_ns);
  rq.look_again = false;
  Thread& next = pick_next(rq, now_ns);
  // Everything that was asked for up to here has been looked at; interrupts are off.
  arch::clear_need_reschedule();
  if (rq.look_again) arch::set_need_reschedule();
  update_hints_locked(rq);
  offer_urgent(rq);
  program_event_locked(rq, now_ns);
  if (&next == &previous) {
    rq.lock.release_raw();
    check_timer_program();
    return;
  }
  if ((leave == Leave::preempted || leave == Leave::yielded) && &previous != rq.idle) {
    auto& involuntary = ThreadAccess::involuntary_switches(previous);
    involuntary.store(involuntary.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    count_switch(previous);
  }
  charge(rq, previous, now_ns);
  note_switch(previous, leave);
  welcome(rq, next, now_ns);
  rq.switches.store(rq.switches.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  rq.running = &next;
  if (&previous == rq.idle) mark_idle(rq.cpu, false);
  if (&next == rq.idle) mark_idle(rq.cpu, true);
  // seq_cst: whoever raises a flag for the thread and then does not see it on a CPU knows that it will see
  // the flag (arch::interrupt_user).
  ThreadAccess::on_cpu(next).store(true);
  ThreadAccess::saved_preempt_count(previous) = arch::preempt_count();
  if (next.address_space != previous.address_space || next.address_space)
    switch_address_space(next.address_space);
  arch::set_current_thread(&next);
  finish_switch(*arch::switch_to(previous.arch_state, next.arch_state, &previous));
}

// Every way out of the scheduler into code that runs on with interrupts on ends with this: the switch itself
// may have asked for another one (a thread that was sent on, a queue that was busy), and then no interrupt
// comes.
static void schedule_until_settled() {
  while (arch::preempt_count() == 0 && arch::need_reschedule()) schedule(Leave::preempted);
}

void thread_starts(Thread* previous) {
  finish_switch(*previous);
  schedule_until_settled();
}

void preempt_reschedule() {
  if (!arch::interrupts_enabled()) return;
  do {
    arch::disable_interrupts();
    schedule(Leave::preempted);
    arch::enable_interrupts();
  } while (arch::preempt_count() == 0 && arch::need_reschedule());
}

void leave_cpu(Leave leave) {
  arch::InterruptsOff off;
  schedule(leave);
  schedule_until_settled();
}

void preempt_from_interrupt() { schedule(Leave::preempted); }
void prepare_to_enter_user() { schedule(Leave::preempted); }

void yield() {
  base::debug_verify(may_sleep(), "yield with preemption off");
  leave_cpu(Leave::yielded);
}

// A slice or a budget may be over.
void scheduler_event() {
  RunQueue& rq = this_run_queue();
  SpinGuard<IrqsAlreadyOff> guard(rq.lock);
  std::uint64_t now_ns = arch::nanoseconds();
  if (rq.queues.account(now_ns)) {
    arch::set_need_reschedule();
    push_for_balance(rq, now_ns);
    return;
  }
  push_for_balance(rq, now_ns);
  program_event_locked(rq, now_ns);
}

// --- Idle.

bool is_idle_thread(const Thread& thread) {
  RunQueue& rq = run_queues.on(thread.last_cpu());
  return rq.idle == &thread;
}

void idle_loop() {
  RunQueue& rq = this_run_queue();
  // Only this loop gives the CPU away: interrupts must not preempt between its steps.
  arch::set_preempt_count(1);
  mark_idle(rq.cpu, true);
  mark_cpu_online(rq.cpu);
  for (;;) {
    arch::disable_interrupts();
    if (arch::need_reschedule()) {
      schedule(Leave::preempted);
      arch::enable_interrupts();
      continue;
    }
    rcu_idle_enter();
    arch::wait_for_interrupt();
    rcu_idle_exit();
  }
}

void secondary_cpu_main() {
  RunQueue& rq = this_run_queue();
  arch::set_current_thread(rq.idle);
  arch::set_boot_thread_state(rq.idle->arch_state);
  rq.switched_at_ns.store(arch::nanoseconds(), std::memory_order_relaxed);
  // There may be threads waiting elsewhere.
  arch::set_need_reschedule();
  idle_loop();
}

}  // namespace core
