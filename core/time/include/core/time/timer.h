// Something to be done at a point in time.
//
//   Timer timer_{[](Timer& timer) { container_of(&timer, &Session::timer_)->expire(); }};
//   timer_.start(Deadline::after(5 * ns_per_ms));
//   timer_.cancel();                    // afterwards the callback neither runs nor will run
//
// Each CPU keeps its timers in a tree ordered by time and programs the hardware for the first one; nothing
// ticks. A callback runs either
//   TimerContext::thread     in the CPU's timer thread (FIFO priority 50, preemptible, may take sleeping
//   locks briefly), or TimerContext::interrupt  in the timer interrupt with interrupts off: constant time,
//   only wakes threads.
// A timer fires once per start(); the callback may start it again or, if nobody else uses it any more, free
// it.
//
// start() and cancel_async() may be called in any context, cancel() only where one may sleep (it waits for a
// callback that is running), and not from the timer's own callback nor with a lock that the callback takes.
// The timer stays on the CPU that started it. Every callback runs at or after its time, never before.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "core/sync/deadline.h"

namespace core {

enum class TimerContext : std::uint8_t { thread, interrupt };
class TimerCpu;

class Timer {
 public:
  using Callback = void (*)(Timer&);

  constexpr explicit Timer(Callback callback, TimerContext context = TimerContext::thread)
      : callback_(callback), context_(context) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();  // must not be pending; checked

  // Sets or moves the time. True if it was pending before.
  bool start(Deadline deadline);
  // As start(), but on the CPU given (which is online).
  bool start_on(unsigned cpu, Deadline deadline);
  // True if that prevented a callback.
  bool cancel();
  // Does not wait for a callback that has begun.
  bool cancel_async();

  bool is_pending() const { return pending_.load(std::memory_order_acquire); }
  std::uint64_t deadline_ns() const { return deadline_ns_; }

 private:
  friend class TimerCpu;
  base::TreeHook hook_;
  base::ListHook expired_hook_;    // waits for the timer thread
  std::uint64_t deadline_ns_ = 0;  // protected by the CPU's timer lock
  Callback callback_;
  std::atomic<TimerCpu*> cpu_{nullptr};
  std::atomic<bool> pending_{false};  // in the tree or on the list; changes under the CPU's lock
  [[maybe_unused]] TimerContext context_;
};

// When the next timer of this CPU is due; for /proc and the idle loop's statistics.
std::uint64_t next_timer_ns();
// The body of each CPU's timer thread; the argument is the CPU's number. Started by the scheduler.
void timer_thread(void* cpu);

}  // namespace core
