// What a thread is besides being scheduled: the same in the kernel and on the host.
#include "core/sched/scheduler.h"

#include <algorithm>

#include "core/time/clock.h"
#include "thread_access.h"

namespace core {

void Thread::set_name(std::string_view name) {
  for (std::size_t i = 0; i < name_capacity; ++i) {
    // relaxed: a reader may see a mixture of two names, each byte whole, always with the final zero.
    name_[i].store(i + 1 < name_capacity && i < name.size() ? name[i] : '\0', std::memory_order_relaxed);
  }
}

std::array<char, Thread::name_capacity> Thread::name() const {
  std::array<char, name_capacity> copy;
  for (std::size_t i = 0; i < name_capacity; ++i) copy[i] = name_[i].load(std::memory_order_relaxed);
  return copy;
}

void Thread::set_interrupted(InterruptLevel level) {
  // seq_cst, as in sleep_begin: either the sleeper sees the level or we see it asleep.
  interrupt_level_.store(level);
  if (level == InterruptLevel::none) return;
  Sleep sleep = sleep_.load();
  if (sleep != Sleep::awake && interrupts_wait(level, mode_of(sleep))) wake(*this);
}

void Thread::wake_if_waiting_interruptibly() {
  if (sleep_.load() == Sleep::interruptible) wake(*this);
}

RunState Thread::state() const {
  if (dead_.load()) return RunState::dead;
  if (!started_) return RunState::created;
  if (queue_state_.load() != QueueState::off) return RunState::runnable;
  switch (sleep_.load()) {
    case Sleep::interruptible:
      return RunState::asleep_interruptible;
    case Sleep::uninterruptible:
    case Sleep::killable:
      return RunState::asleep_uninterruptible;
    case Sleep::awake:
      break;
  }
  return RunState::runnable;
}

SchedulingParameters Thread::parameters() const {
  SpinGuard<PreemptOff> guard(parameters_lock_);
  return parameters_;
}

int Thread::proc_priority() const {
  SchedulingParameters parameters = this->parameters();
  if (parameters.policy == Policy::deadline) return -101;
  if (parameters.is_fixed()) return -1 - parameters.priority;
  return 20 + parameters.nice;
}

bool interruption_pending(WaitMode mode) { return Thread::current().interrupted(mode); }

base::Result<void> sleep_until(Deadline deadline, WaitMode mode) {
  while (!deadline.is_over()) {
    sleep_begin(mode);
    if (sleep_commit(deadline) == SleepResult::interrupted) return base::error(base::Errno::eintr);
  }
  return {};
}

}  // namespace core
