#include "core/sync/wait_queue.h"

#include "core/sync/thread_base.h"

namespace core {

ThreadWaitEntry::ThreadWaitEntry() : thread_(arch::current_thread()) {}

bool ThreadWaitEntry::woken(std::uint64_t) {
  if (signaled_.exchange(true)) return false;
  wake(*thread_);
  return true;
}

SleepResult ThreadWaitEntry::sleep(WaitMode mode, Deadline deadline) {
  sleep_begin(mode);
  // seq_cst: either we see the flag or woken() sees us asleep.
  if (signaled_.load()) {
    sleep_cancel();
    return SleepResult::woken;
  }
  SleepResult result = sleep_commit(deadline);
  return signaled_.load() ? SleepResult::woken : result;
}

void WaitQueue::insert(WaitEntry& entry, WaitEntry::Kind kind) {
  SpinGuard<IrqSave> guard(lock_);
  base::debug_verify(!entry.is_queued(), "entry is already on a queue");
  entry.kind_ = kind;
  // relaxed: changes under the lock.
  entry.queued_.store(true, std::memory_order_relaxed);
  if (kind == WaitEntry::Kind::exclusive)
    entries_.push_back(entry);
  else
    entries_.push_front(entry);
  count_.fetch_add(1);
}

void WaitQueue::add(WaitEntry& entry) {
  insert(entry, WaitEntry::Kind::shared);
  // Keeps the caller's look at its condition from passing the count: pairs with the fence in wake().
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
void WaitQueue::add_exclusive(WaitEntry& entry) {
  insert(entry, WaitEntry::Kind::exclusive);
  // As in add().
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void WaitQueue::remove(WaitEntry& entry) {
  SpinGuard<IrqSave> guard(lock_);
  if (!entry.is_queued()) return;
  entries_.remove(entry);
  entry.queued_.store(false, std::memory_order_relaxed);
  count_.fetch_sub(1);
}

namespace {
// Keeps a waker's place in the queue while the lock is open.
class Bookmark final : public WaitEntry {
 public:
  bool woken(std::uint64_t) override { return false; }
};
constexpr unsigned wakes_per_turn = 16;
}  // namespace

unsigned WaitQueue::wake(unsigned count, std::uint64_t key) {
  // Keeps the change of the condition from passing the look at the count: pairs with the fence in add().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // relaxed: ordered by the fence.
  if (count_.load(std::memory_order_relaxed) == 0) return 0;
  unsigned taken = 0;
  Bookmark bookmark;
  bool more = true;
  while (more) {
    SpinGuard<IrqSave> guard(lock_);
    WaitEntry* entry = nullptr;
    if (bookmark.is_queued()) {
      entry = entries_.next(bookmark);
      entries_.remove(bookmark);
      bookmark.queued_.store(false, std::memory_order_relaxed);
    } else {
      entry = entries_.first();
    }
    for (unsigned turn = 0; entry && turn < wakes_per_turn; ++turn) {
      WaitEntry* next = entries_.next(*entry);
      if (entry->woken(key) && entry->kind_ == WaitEntry::Kind::exclusive && ++taken == count) return taken;
      entry = next;
    }
    more = entry != nullptr;
    if (!more) break;
    bookmark.kind_ = WaitEntry::Kind::bookmark;
    bookmark.queued_.store(true, std::memory_order_relaxed);
    entries_.insert_before(*entry, bookmark);
  }
  return taken;
}

namespace {
base::Result<void> outcome(SleepResult result) {
  return base::error(result == SleepResult::timed_out ? base::Errno::etimedout : base::Errno::eintr);
}
}  // namespace

base::Result<void> WaitQueue::wait_for(WaitMode mode, base::FunctionRef<bool()> condition,
                                       Deadline deadline) {
  ThreadWaitEntry entry;
  add_exclusive(entry);
  SleepResult result = SleepResult::woken;
  bool holds = false;
  do {
    entry.rearm();
    holds = condition();
    if (holds) break;
    if (result == SleepResult::woken)
      result = entry.sleep(mode, deadline);
    else
      break;
  } while (true);
  remove(entry);
  // A wake that came after the last rearm was meant for somebody who still waits.
  if (entry.is_signaled()) wake_one();
  if (holds) return {};
  return outcome(result);
}

// The analysis cannot see that the guard's mutex is taken again before the condition is looked at.
base::Result<void> WaitQueue::wait_for_with(MutexGuard& guard, WaitMode mode,
                                            base::FunctionRef<bool()> condition,
                                            Deadline deadline) NO_THREAD_SAFETY_ANALYSIS {
  ThreadWaitEntry entry;
  add_exclusive(entry);
  SleepResult result = SleepResult::woken;
  bool holds = false;
  for (;;) {
    entry.rearm();
    holds = condition();
    if (holds || result != SleepResult::woken) break;
    guard.mutex_.unlock_mutex();
    result = entry.sleep(mode, deadline);
    guard.mutex_.lock_mutex(guard.nesting_);
  }
  remove(entry);
  if (entry.is_signaled()) wake_one();
  if (holds) return {};
  return outcome(result);
}

}  // namespace core
