// Timers of the host: one thread and a tree.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/time/clock.h"
#include "core/time/timer.h"

namespace core {

class TimerCpu {
 public:
  static TimerCpu& instance() {
    static auto* cpu = new TimerCpu;  // never destroyed: its thread outlives main
    return *cpu;
  }
  bool start(Timer& timer, Deadline deadline) {
    std::lock_guard lock(mutex_);
    bool was = detach(timer);
    timer.deadline_ns_ = deadline.ns();
    timer.cpu_ = this;
    if (!deadline.is_never()) {
      timer.pending_ = true;
      timers_.insert(timer);
    }
    if (!started_) {
      started_ = true;
      std::thread([this] { run(); }).detach();
    }
    changed_.notify_all();
    return was;
  }
  bool cancel(Timer& timer, bool wait) {
    std::unique_lock lock(mutex_);
    bool was = detach(timer);
    if (wait) finished_.wait(lock, [&] { return running_ != &timer; });
    return was;
  }

 private:
  bool detach(Timer& timer) {
    if (!timer.pending_) return false;
    timers_.remove(timer);
    timer.pending_ = false;
    return true;
  }
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      Timer* first = timers_.first();
      if (!first) {
        changed_.wait(lock);
        continue;
      }
      std::uint64_t now = monotonic_ns();
      if (first->deadline_ns_ > now) {
        changed_.wait_for(lock, std::chrono::nanoseconds(first->deadline_ns_ - now));
        continue;
      }
      detach(*first);
      running_ = first;
      auto callback = first->callback_;
      lock.unlock();
      callback(*first);
      lock.lock();
      running_ = nullptr;
      finished_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_, finished_;
  base::IntrusiveTree<Timer, &Timer::hook_, &Timer::deadline_ns_> timers_;
  Timer* running_ = nullptr;
  bool started_ = false;
};

Timer::~Timer() { base::debug_verify(!is_pending(), "timer destroyed while pending"); }
bool Timer::start(Deadline deadline) { return TimerCpu::instance().start(*this, deadline); }
bool Timer::start_on(unsigned, Deadline deadline) { return start(deadline); }
bool Timer::cancel() { return TimerCpu::instance().cancel(*this, true); }
bool Timer::cancel_async() { return TimerCpu::instance().cancel(*this, false); }
std::uint64_t next_timer_ns() { return ~std::uint64_t{0}; }
void timer_thread(void*) {}

}  // namespace core
