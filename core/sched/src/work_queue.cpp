#include "core/sched/work_queue.h"

#include "core/sched/thread.h"
#include "core/time/clock.h"

namespace core {

struct WorkQueue::Worker {
  // Takes the first work that does not run already; null if there is none.
  static Work* take_locked(WorkQueue& queue, unsigned slot) REQUIRES(queue.lock_) {
    for (Work& work : queue.works_) {
      if (queue.is_running_locked(work)) continue;
      queue.works_.remove(work);
      queue.running_[slot] = &work;
      // release: a post() from now on queues it again; relaxed would do, the lock orders.
      work.pending_.store(false, std::memory_order_release);
      return &work;
    }
    return nullptr;
  }
};

bool WorkQueue::is_running_locked(const Work& work) const {
  for (unsigned i = 0; i < worker_limit; ++i)
    if (running_[i] == &work) return true;
  return false;
}

bool WorkQueue::post(Work& work) {
  {
    SpinGuard<IrqSave> guard(lock_);
    if (work.pending_.load(std::memory_order_relaxed)) return false;
    work.pending_.store(true, std::memory_order_relaxed);
    work.queue_.store(this, std::memory_order_relaxed);
    works_.push_back(work);
  }
  wanted_.wake_one();
  return true;
}

bool WorkQueue::cancel(Work& work) {
  SpinGuard<IrqSave> guard(lock_);
  if (!work.pending_.load(std::memory_order_relaxed) || work.queue_.load(std::memory_order_relaxed) != this)
    return false;
  works_.remove(work);
  work.pending_.store(false, std::memory_order_relaxed);
  return true;
}

void WorkQueue::flush(Work& work) {
  (void)!finished_.wait(WaitMode::uninterruptible, [&] {
    SpinGuard<IrqSave> guard(lock_);
    return !work.pending_.load(std::memory_order_relaxed) && !is_running_locked(work);
  });
}

void WorkQueue::cancel_and_wait(Work& work) {
  while (true) {
    cancel(work);
    flush(work);
    if (!work.is_pending()) return;
  }
}

base::Result<void> WorkQueue::start() {
  {
    SpinGuard<IrqSave> guard(lock_);
    if (workers_ != 0) return {};
  }
  return add_worker();
}

base::Result<void> WorkQueue::add_worker() {
  {
    SpinGuard<IrqSave> guard(lock_);
    if (workers_ == max_workers_ || workers_ == worker_limit) return {};
    ++workers_;
    ++idle_workers_;
  }
  auto thread = Thread::create(name_, &WorkQueue::worker_entry, this, SchedulingParameters::fair(nice_));
  if (thread) {
    (*thread)->start();
    return {};
  }
  SpinGuard<IrqSave> guard(lock_);
  --workers_;
  --idle_workers_;
  return base::error(thread.error());
}

void WorkQueue::worker_entry(void* queue) { static_cast<WorkQueue*>(queue)->worker_loop(); }

void WorkQueue::worker_loop() {
  unsigned slot = 0;
  {
    SpinGuard<IrqSave> guard(lock_);
    slot = next_slot_++;
  }
  for (;;) {
    Work* work = nullptr;
    bool last_idle = false;
    // Interruptible, so that an idle worker does not count as load; kernel threads are never interrupted.
    (void)!wanted_.wait(WaitMode::interruptible, [&] {
      SpinGuard<IrqSave> guard(lock_);
      work = Worker::take_locked(*this, slot);
      if (work) last_idle = --idle_workers_ == 0;
      return work != nullptr;
    });
    // Somebody must stay free for the next work in case this one sleeps. Without memory we go on with fewer.
    if (last_idle) (void)!add_worker();
    work->function_(*work);
    bool more = false;
    {
      SpinGuard<IrqSave> guard(lock_);
      running_[slot] = nullptr;
      ++idle_workers_;
      more = !works_.empty();
    }
    finished_.wake_all();
    if (more) wanted_.wake_one();
  }
}

void DelayedWork::post_after(WorkQueue& queue, std::uint64_t delay_ns) {
  // relaxed: the timer's lock orders.
  queue_.store(&queue, std::memory_order_relaxed);
  timer_.start(Deadline::after(delay_ns));
}

void DelayedWork::cancel_and_wait() {
  timer_.cancel();
  if (WorkQueue* queue = queue_.load(std::memory_order_relaxed)) queue->cancel_and_wait(work);
}

void DelayedWork::expired(Timer& timer) {
  auto& self = *base::container_of(&timer, &DelayedWork::timer_);
  self.queue_.load(std::memory_order_relaxed)->post(self.work);
}

}  // namespace core
