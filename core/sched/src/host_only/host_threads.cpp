// Threads of the host in the place of the scheduler: a core::Thread is a pthread, sleeping is a condition
// variable. Priorities are kept and computed (so that inheritance can be tested) but the host schedules as it
// likes.
#include <arch_impl/cpu.h>
#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "../thread_access.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"

namespace core {

namespace {

struct Body {
  std::mutex mutex;
  std::condition_variable changed;
};
Body& body_of(const Thread& thread) { return *static_cast<Body*>(thread.arch_state.body); }

// The core::Thread that a host thread which we did not create has been given.
struct Adopted {
  Thread* thread = nullptr;
  ~Adopted() {
    if (!thread) return;
    arch::set_current_thread(nullptr);
    base::RefPtr<Thread>::adopt(thread);
  }
};

void* run(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  arch::set_current_thread(&thread);
  ThreadAccess::entry(thread)(ThreadAccess::argument(thread));
  Thread::exit();
}

}  // namespace

Thread* host_adopt_thread() {
  static thread_local Adopted adopted;
  Thread* thread = ThreadAccess::allocate();
  thread->arch_state.body = new Body;
  ThreadAccess::started(*thread) = true;
  thread->set_name("host");
  adopted.thread = thread;
  return thread;
}

base::Result<base::RefPtr<Thread>> Thread::create(std::string_view name, Entry entry, void* argument,
                                                  const SchedulingParameters& parameters) {
  TRY(parameters.validate());
  auto thread = base::RefPtr<Thread>::adopt(ThreadAccess::allocate());
  thread->arch_state.body = new Body;
  thread->set_name(name);
  thread->entry_ = entry;
  thread->argument_ = argument;
  {
    SpinGuard<PreemptOff> guard(thread->parameters_lock_);
    thread->parameters_ = parameters;
  }
  pi_set_own_urgency(*thread, parameters.urgency());
  thread->start_time_ns_ = monotonic_ns();
  return thread;
}

void Thread::start() {
  started_ = true;
  queue_state_ = QueueState::queued;
  acquire_reference();  // the thread's own
  pthread_t id;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  base::verify(pthread_create(&id, &attributes, run, this) == 0, "pthread_create failed");
  pthread_attr_destroy(&attributes);
}

void Thread::exit() {
  Thread* self = &current();
  self->dead_ = true;
  arch::set_current_thread(nullptr);
  self->release_reference();
  pthread_exit(nullptr);
}

void Thread::last_reference_dropped() {
  rcu_retire(rcu_head_, [](RcuHead& head) {
    Thread& thread = ThreadAccess::of_rcu_head(head);
    delete static_cast<Body*>(thread.arch_state.body);
    ThreadAccess::free(&thread);
  });
}

base::Result<void> Thread::set_parameters(const SchedulingParameters& parameters) {
  TRY(parameters.validate());
  {
    SpinGuard<PreemptOff> guard(parameters_lock_);
    parameters_ = parameters;
  }
  pi_set_own_urgency(*this, parameters.urgency());
  return {};
}

base::Result<void> Thread::set_affinity(const CpuMask& mask) {
  if (mask.none()) return base::error(base::Errno::einval);
  SpinGuard<PreemptOff> guard(parameters_lock_);
  affinity_ = mask;
  return {};
}

CpuMask Thread::affinity() const {
  SpinGuard<PreemptOff> guard(parameters_lock_);
  return affinity_;
}

std::uint64_t Thread::user_ns() const { return 0; }
std::uint64_t Thread::system_ns() const { return 0; }
std::uint64_t Thread::runtime_ns() const { return 0; }
std::uint64_t Thread::wait_ns() const { return 0; }
void Thread::account_user_enter() {}
void Thread::account_user_leave() {}

// --- Blocking.

void sleep_begin(WaitMode mode) {
  using Sleep = ThreadAccess::Sleep;
  Sleep sleep = mode == WaitMode::interruptible ? Sleep::interruptible
                : mode == WaitMode::killable    ? Sleep::killable
                                                : Sleep::uninterruptible;
  ThreadAccess::sleep(Thread::current()).store(sleep);
}
void sleep_cancel() { ThreadAccess::sleep(Thread::current()).store(ThreadAccess::Sleep::awake); }

SleepResult sleep_commit(Deadline deadline) {
  using Sleep = ThreadAccess::Sleep;
  base::debug_verify(may_sleep(), "sleeping where the thread may not sleep");
  Thread& self = Thread::current();
  auto& sleep = ThreadAccess::sleep(self);
  Sleep begun = sleep.load();
  if (begun == Sleep::awake) return SleepResult::woken;
  WaitMode mode = mode_of(begun);
  Body& body = body_of(self);
  SleepResult result = SleepResult::woken;
  std::unique_lock lock(body.mutex);
  while (sleep.load() != Sleep::awake) {
    if (self.interrupted(mode)) {
      result = SleepResult::interrupted;
      break;
    }
    if (deadline.is_never()) {
      body.changed.wait(lock);
    } else {
      if (deadline.is_over()) {
        result = SleepResult::timed_out;
        break;
      }
      body.changed.wait_for(lock, std::chrono::nanoseconds(deadline.remaining_ns()));
    }
  }
  sleep.store(Sleep::awake);
  return result;
}

bool wake(Thread& thread) {
  if (ThreadAccess::sleep(thread).exchange(ThreadAccess::Sleep::awake) == ThreadAccess::Sleep::awake)
    return false;
  Body& body = body_of(thread);
  std::lock_guard lock(body.mutex);
  body.changed.notify_all();
  return true;
}

void scheduler_urgency_changed(Thread&, Urgency) {}
bool is_running_hint(const Thread&) { return false; }
void preempt_reschedule() { arch::clear_need_reschedule(); }
void yield() { arch::host_yield(); }

// --- Figures.
bool is_idle_thread(const Thread&) { return false; }
CpuStatistics cpu_statistics(unsigned) { return {}; }
LoadAverage load_average() { return {}; }
std::uint32_t runnable_threads() { return 1; }
std::uint32_t uninterruptible_threads() { return 0; }
std::uint64_t context_switches() { return 0; }
std::uint64_t threads_started() { return 0; }

}  // namespace core
