// Waiting until something is true.
//
//   WaitQueue readable_;
//
//   // The reader:
//   MutexGuard guard{lock_};
//   TRY(readable_.wait(guard, WaitMode::interruptible, [&] { return size_ > 0 || closed_; }));
//
//   // The writer:
//   { MutexGuard guard{lock_}; size_ += written; }
//   readable_.wake_all(POLLIN);
//
// wait() returns with the condition true, or with EINTR (an interruption that the mode admits), or ETIMEDOUT.
// The condition is looked at before sleeping and after every wake-up; it may itself sleep. No wake-up is
// lost: a wake that comes after the condition was last looked at ends the sleep at once.
//
// Whoever waits through wait() is an exclusive waiter: wake_one() lets one of them go, the longest waiting.
// If that one leaves with an error instead, the wake is passed on. Entries added with add() (poll, epoll) are
// told of every wake and consume none, unless added with add_exclusive() and woken() says that it took it.
//
// Contexts: wake_*() anywhere, also in interrupt handlers and with raw locks held. wait(): threads that may
// sleep. Waking many drops the queue's lock between small groups, so it may be long but never closes the
// door.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "core/sync/blocking.h"
#include "core/sync/deadline.h"
#include "core/sync/mutex.h"
#include "core/sync/spin_lock.h"

namespace core {

class WaitQueue;

// Something on a queue that wants to know of wakes.
class WaitEntry {
 public:
  WaitEntry() = default;
  WaitEntry(const WaitEntry&) = delete;
  WaitEntry& operator=(const WaitEntry&) = delete;

  // A wake with this key (for files: the poll events that became true; 0 = anything). Runs with the queue's
  // raw lock held and interrupts off: constant time, may wake threads and other queues, may not touch this
  // queue. True if it uses the wake up, which matters for exclusive entries only.
  virtual bool woken(std::uint64_t key) = 0;
  bool is_queued() const { return queued_.load(std::memory_order_relaxed); }

 protected:
  ~WaitEntry() = default;

 private:
  friend class WaitQueue;
  enum class Kind : std::uint8_t { shared, exclusive, bookmark };
  base::ListHook hook_;
  Kind kind_ = Kind::shared;
  std::atomic<bool> queued_{false};
};

// The usual entry: wakes the thread that made it, and remembers that it did, so that the thread may do
// anything, also sleep elsewhere, between looking at its condition and sleeping here.
class ThreadWaitEntry final : public WaitEntry {
 public:
  ThreadWaitEntry();
  bool woken(std::uint64_t key) override;
  // Before looking at the condition.
  void rearm() { signaled_.store(false); }
  bool is_signaled() const { return signaled_.load(); }
  // Sleeps unless woken since rearm().
  SleepResult sleep(WaitMode mode, Deadline deadline);

 private:
  Thread* thread_;
  std::atomic<bool> signaled_{false};
};

class WaitQueue {
 public:
  constexpr WaitQueue(const char* name = "WaitQueue", const char* file = __builtin_FILE(),
                      int line = __builtin_LINE())
      : lock_(name, file, line) {}
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  template <typename Condition>
  base::Result<void> wait(WaitMode mode, Condition&& condition, Deadline deadline = Deadline::never()) {
    if (condition()) return {};
    return wait_for(mode, base::FunctionRef<bool()>(condition), deadline);
  }
  // The condition is protected by the mutex, which is open while we sleep and held again on return, also with
  // an error.
  template <typename Condition>
  base::Result<void> wait(MutexGuard& guard, WaitMode mode, Condition&& condition,
                          Deadline deadline = Deadline::never()) NO_THREAD_SAFETY_ANALYSIS {
    // The analysis cannot see that the condition runs with the guard's mutex held.
    if (condition()) return {};
    return wait_for_with(guard, mode, base::FunctionRef<bool()>(condition), deadline);
  }

  // Each returns how many exclusive entries took the wake.
  unsigned wake_one(std::uint64_t key = 0) { return wake(1, key); }
  unsigned wake_all(std::uint64_t key = 0) { return wake(~0u, key); }
  unsigned wake(unsigned count, std::uint64_t key);

  // The entry must be removed before it is destroyed; remove() returns only when no woken() of it is running.
  void add(WaitEntry& entry);
  void add_exclusive(WaitEntry& entry);
  void remove(WaitEntry& entry);

  // Without a lock: pairs with the full barrier in add(). The waker makes the condition true, then asks.
  bool has_waiters() const { return count_.load() != 0; }

 private:
  base::Result<void> wait_for(WaitMode mode, base::FunctionRef<bool()> condition, Deadline deadline);
  base::Result<void> wait_for_with(MutexGuard& guard, WaitMode mode, base::FunctionRef<bool()> condition,
                                   Deadline deadline);
  void insert(WaitEntry& entry, WaitEntry::Kind kind);

  SpinLock lock_;
  base::IntrusiveList<WaitEntry, &WaitEntry::hook_> entries_ GUARDED_BY(lock_);
  std::atomic<std::uint32_t> count_{0};
};

}  // namespace core
