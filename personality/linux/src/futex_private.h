// Shared by the futex sources.
#pragma once

#include "core/sync/spin_lock.h"
#include "linux_abi/futex.h"

namespace linux_abi {

struct alignas(64) FutexBucket {
  core::SpinLock lock{"futex bucket"};
  base::IntrusiveList<FutexWaiter, &FutexWaiter::hook> waiters;
  // Without the lock; the caller has a full barrier in front of it.
  bool waiters_hint_empty() const { return waiters.empty(); }
};

FutexBucket& futex_bucket(const FutexKey& key);
// Takes the waiter out of its queue; false if somebody has woken it.
bool dequeue(FutexWaiter& waiter);
void wake_waiter_locked(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);
long wake_key(const FutexKey& key, std::uint32_t count, std::uint32_t bitset);

// Both buckets' locks, in the order of their addresses.
class FutexPairGuard {
 public:
  FutexPairGuard(FutexBucket& a, FutexBucket& b) NO_THREAD_SAFETY_ANALYSIS
      : first_(&a < &b ? a.lock : b.lock),
        second_(&a < &b ? b.lock : a.lock),
        same_(&a == &b) {
    first_.acquire_raw();
    if (!same_) second_.acquire_raw();
  }
  ~FutexPairGuard() NO_THREAD_SAFETY_ANALYSIS {
    if (!same_) second_.release_raw();
    first_.release_raw();
  }
  FutexPairGuard(const FutexPairGuard&) = delete;

 private:
  core::PreemptOff pinned_;  // before the locks are taken, ended after they are released
  core::SpinLock& first_;
  core::SpinLock& second_;
  bool same_;
};

}  // namespace linux_abi
