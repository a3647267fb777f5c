#include "core/time/timer.h"

#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "../timer_time.h"
#include "core/sync/per_cpu.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "core/time/clock.h"
#include "core/time/scheduler_event.h"

namespace core {

// The timers of one CPU.
class TimerCpu {
 public:
  // Callbacks in interrupt context that one interrupt runs; what is left is due at once again, so that a
  // crowd of timers of one moment does not keep the CPU from more urgent interrupts.
  static constexpr unsigned callbacks_per_interrupt = 16;

  static TimerCpu& of(unsigned cpu);
  static TimerCpu& here();

  static bool start(Timer& timer, unsigned cpu, Deadline deadline);
  static bool cancel(Timer& timer);
  static void wait_until_idle(Timer& timer);

  void interrupt();
  void set_scheduler_event(std::uint64_t ns);
  void check_program();
  [[noreturn]] void thread_loop();
  std::uint64_t first_ns();

 private:
  bool detach_locked(Timer& timer) REQUIRES(lock_);
  void attach_locked(Timer& timer, std::uint64_t deadline_ns) REQUIRES(lock_);
  void program_locked() REQUIRES(lock_);
  Timer* take_expired_for_interrupt(std::uint64_t now_ns, bool& wake_thread);
  Timer* take_expired_for_thread();

  SpinLock lock_{"timers"};
  base::IntrusiveTree<Timer, &Timer::hook_, &Timer::deadline_ns_> timers_ GUARDED_BY(lock_);
  base::IntrusiveList<Timer, &Timer::expired_hook_> expired_ GUARDED_BY(lock_);
  Timer* running_in_interrupt_ GUARDED_BY(lock_) = nullptr;
  Timer* running_in_thread_ GUARDED_BY(lock_) = nullptr;
  // In arch::nanoseconds(). The hardware may be set for earlier than needed: that interrupt finds nothing and
  // sets it anew. These two are touched by their own CPU alone, with interrupts off.
  std::uint64_t scheduler_event_ns_ = no_scheduler_event;
  std::uint64_t programmed_ns_ = arch::no_timer;
  WaitQueue wanted_;    // the timer thread
  WaitQueue finished_;  // cancel()
  std::atomic<bool> program_wanted_{false};
  unsigned cpu_number_ GUARDED_BY(lock_) = 0;
};

namespace {
PER_CPU constinit PerCpu<TimerCpu> timer_cpus;
}

TimerCpu& TimerCpu::of(unsigned cpu) { return timer_cpus.on(cpu); }
TimerCpu& TimerCpu::here() { return timer_cpus.local_unchecked(); }

bool TimerCpu::detach_locked(Timer& timer) {
  // relaxed: changes under lock_.
  if (!timer.pending_.load(std::memory_order_relaxed)) return false;
  if (timer.hook_.is_linked())
    timers_.remove(timer);
  else
    expired_.remove(timer);
  timer.pending_.store(false, std::memory_order_relaxed);
  return true;
}

void TimerCpu::attach_locked(Timer& timer, std::uint64_t deadline_ns) {
  timer.deadline_ns_ = deadline_ns;
  if (deadline_ns == Deadline::never().ns()) return;
  timers_.insert(timer);
  // release: is_pending() without the lock.
  timer.pending_.store(true, std::memory_order_release);
  if (timers_.first() != &timer) return;
  if (this == &here()) {
    program_locked();
  } else {
    // Its CPU passes through the scheduler, which calls check_timer_program().
    program_wanted_.store(true);
    arch::send_reschedule(cpu_number_);
  }
}

void TimerCpu::program_locked() {
  std::uint64_t next = scheduler_event_ns_;
  if (Timer* first = timers_.first()) {
    std::uint64_t time = timer_time_of(first->deadline_ns_);
    if (time < next) next = time;
  }
  if (next >= programmed_ns_) return;
  programmed_ns_ = next;
  arch::set_timer(next);
}

// Two locks at most, one after the other: the analysis is content, but the timer's owner changes in between.
bool TimerCpu::start(Timer& timer, unsigned cpu, Deadline deadline) {
  bool was_pending = false;
  TimerCpu* target = &of(cpu);
  for (;;) {
    TimerCpu* owner = timer.cpu_.load();
    if (!owner) {
      if (!timer.cpu_.compare_exchange_strong(owner, target)) continue;
      owner = target;
    }
    SpinGuard<IrqSave> guard(owner->lock_);
    if (timer.cpu_.load() != owner) continue;
    if (owner == target) owner->cpu_number_ = cpu;
    was_pending |= owner->detach_locked(timer);
    // A timer whose callback runs stays, so that cancel() finds it.
    bool runs = owner->running_in_thread_ == &timer || owner->running_in_interrupt_ == &timer;
    if (owner == target || runs) {
      owner->attach_locked(timer, deadline.ns());
      return was_pending;
    }
    timer.cpu_.store(target);
  }
}

bool TimerCpu::cancel(Timer& timer) {
  for (;;) {
    TimerCpu* owner = timer.cpu_.load();
    if (!owner) return false;
    SpinGuard<IrqSave> guard(owner->lock_);
    if (timer.cpu_.load() == owner) return owner->detach_locked(timer);
  }
}

void TimerCpu::wait_until_idle(Timer& timer) {
  TimerCpu* owner = timer.cpu_.load();
  if (!owner) return;
  if (timer.context_ == TimerContext::thread) {
    (void)!owner->finished_.wait(WaitMode::uninterruptible, [&] {
      SpinGuard<IrqSave> guard(owner->lock_);
      return owner->running_in_thread_ != &timer;
    });
    return;
  }
  for (;;) {
    {
      SpinGuard<IrqSave> guard(owner->lock_);
      if (owner->running_in_interrupt_ != &timer) return;
    }
    arch::relax();
  }
}

Timer* TimerCpu::take_expired_for_interrupt(std::uint64_t now_ns, bool& wake_thread) {
  SpinGuard<IrqsAlreadyOff> guard(lock_);
  running_in_interrupt_ = nullptr;
  for (unsigned i = 0; i < callbacks_per_interrupt; ++i) {
    Timer* first = timers_.first();
    if (!first || first->deadline_ns_ > now_ns) return nullptr;
    timers_.remove(*first);
    if (first->context_ == TimerContext::interrupt) {
      first->pending_.store(false, std::memory_order_relaxed);
      running_in_interrupt_ = first;
      return first;
    }
    expired_.push_back(*first);
    wake_thread = true;
  }
  return nullptr;
}

void TimerCpu::interrupt() {
  bool wake_thread = false;
  std::uint64_t now_ns = monotonic_ns();
  for (unsigned i = 0; i < callbacks_per_interrupt; ++i) {
    Timer* timer = take_expired_for_interrupt(now_ns, wake_thread);
    if (!timer) break;
    timer->callback_(*timer);
  }
  bool event = false;
  {
    SpinGuard<IrqsAlreadyOff> guard(lock_);
    running_in_interrupt_ = nullptr;
    if (scheduler_event_ns_ <= arch::nanoseconds()) {
      scheduler_event_ns_ = no_scheduler_event;
      event = true;
    }
    programmed_ns_ = arch::no_timer;
    program_locked();
  }
  if (wake_thread) wanted_.wake_one();
  if (event) core::scheduler_event();
}

void TimerCpu::set_scheduler_event(std::uint64_t ns) {
  scheduler_event_ns_ = ns;
  if (ns >= programmed_ns_) [[likely]]
    return;
  SpinGuard<IrqsAlreadyOff> guard(lock_);
  program_locked();
}

void TimerCpu::check_program() {
  // relaxed: a request that comes later brings its own interrupt.
  if (!program_wanted_.load(std::memory_order_relaxed)) return;
  program_wanted_.store(false);
  SpinGuard<IrqsAlreadyOff> guard(lock_);
  program_locked();
}

Timer* TimerCpu::take_expired_for_thread() {
  SpinGuard<IrqSave> guard(lock_);
  running_in_thread_ = expired_.pop_front();
  if (running_in_thread_) running_in_thread_->pending_.store(false, std::memory_order_relaxed);
  return running_in_thread_;
}

void TimerCpu::thread_loop() {
  for (;;) {
    Timer* timer = nullptr;
    // Interruptible, so that it does not count as load.
    (void)!wanted_.wait(WaitMode::interruptible,
                        [&] { return (timer = take_expired_for_thread()) != nullptr; });
    if (!timer) continue;
    timer->callback_(*timer);
    {
      SpinGuard<IrqSave> guard(lock_);
      running_in_thread_ = nullptr;
    }
    finished_.wake_all();
  }
}

std::uint64_t TimerCpu::first_ns() {
  SpinGuard<IrqSave> guard(lock_);
  Timer* first = timers_.first();
  return first ? first->deadline_ns_ : Deadline::never().ns();
}

// --- Timer.

Timer::~Timer() { base::debug_verify(!is_pending(), "timer destroyed while pending"); }

bool Timer::start(Deadline deadline) {
  unsigned cpu;
  {
    PreemptOff pinned;
    cpu = arch::cpu_index();
  }
  return start_on(cpu, deadline);
}
bool Timer::start_on(unsigned cpu, Deadline deadline) { return TimerCpu::start(*this, cpu, deadline); }
bool Timer::cancel() {
  bool prevented = TimerCpu::cancel(*this);
  TimerCpu::wait_until_idle(*this);
  return prevented;
}
bool Timer::cancel_async() { return TimerCpu::cancel(*this); }

std::uint64_t next_timer_ns() { return TimerCpu::here().first_ns(); }
void timer_thread(void* cpu) {
  // SAFETY: the argument is a number in a pointer's clothes (timer.h).
  TimerCpu::of(static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(cpu))).thread_loop();
}

void timer_interrupt() { TimerCpu::here().interrupt(); }
void set_scheduler_event(std::uint64_t ns) { TimerCpu::here().set_scheduler_event(ns); }
void check_timer_program() { TimerCpu::here().check_program(); }

}  // namespace core
