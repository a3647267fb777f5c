// Work to be done later, by a kernel thread.
//
//   Work work_{[](Work& work) { container_of(&work, &Device::work_)->reset(); }};
//   WorkQueue::system().post(work_);
//   DelayedWork retry_{...};  retry_.post_after(WorkQueue::system(), 100 * ns_per_ms);
//
// The system queues have worker threads on every CPU (post() prefers the caller's) and more where workers
// block, up to a bound, so that one work that sleeps does not hold up the next. A Work is queued at most
// once; posting it while its function runs makes it run again afterwards. The function may free or post the
// Work. flush(work) waits until it is neither queued nor running. post() is callable in any context.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "core/time/timer.h"

namespace core {

class WorkQueue;

class Work {
 public:
  using Function = void (*)(Work&);
  constexpr explicit Work(Function function) : function_(function) {}
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  bool is_pending() const { return pending_.load(std::memory_order_acquire); }

 private:
  friend class WorkQueue;
  base::ListHook hook_;
  Function function_;
  std::atomic<bool> pending_{false};
  std::atomic<WorkQueue*> queue_{nullptr};  // where it was posted last
};

class WorkQueue {
 public:
  constexpr explicit WorkQueue(const char* name, unsigned max_workers, int nice = 0)
      : name_(name), max_workers_(max_workers), nice_(nice) {}
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  static WorkQueue& system();        // short work
  static WorkQueue& long_running();  // work that may block for long: write-back, device resets

  // False if it was already queued.
  bool post(Work& work);
  // Takes it out again if it has not begun. True if it was queued.
  bool cancel(Work& work);
  // As cancel, and waits if it is running. Not from the work itself.
  void cancel_and_wait(Work& work);
  void flush(Work& work);

  // Queues that drivers make for themselves call this before the first post().
  base::Result<void> start();

 private:
  struct Worker;
  static void worker_entry(void* queue);
  void worker_loop();
  base::Result<void> add_worker();
  bool is_running_locked(const Work& work) const REQUIRES(lock_);

  static constexpr unsigned worker_limit = 32;

  const char* name_;
  unsigned max_workers_;
  int nice_;
  SpinLock lock_{"WorkQueue"};
  base::IntrusiveList<Work, &Work::hook_> works_ GUARDED_BY(lock_);
  unsigned workers_ GUARDED_BY(lock_) = 0;
  unsigned idle_workers_ GUARDED_BY(lock_) = 0;
  unsigned next_slot_ GUARDED_BY(lock_) = 0;
  const Work* running_[worker_limit] GUARDED_BY(lock_) = {};
  WaitQueue wanted_;    // workers wait for work
  WaitQueue finished_;  // flush() waits for workers
};

class DelayedWork {
 public:
  constexpr explicit DelayedWork(Work::Function function)
      : work(function), timer_(&DelayedWork::expired, TimerContext::interrupt) {}
  // Moves the time if it is already set.
  void post_after(WorkQueue& queue, std::uint64_t delay_ns);
  void cancel_and_wait();

  Work work;

 private:
  static void expired(Timer& timer);
  Timer timer_;
  std::atomic<WorkQueue*> queue_{nullptr};
};

}  // namespace core
