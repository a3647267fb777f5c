// The lock for everything that may sleep: one owner, priority inheriting, preemptible while held.
//
//   Mutex lock_{"inode"};
//   int size_ GUARDED_BY(lock_);
//   MutexGuard guard{lock_};                       // sleeps until it is ours
//   MutexGuard child_guard{child.lock_, LockNesting::child};   // a second one of the same class, parents
//   first MutexTryGuard guard{lock_}; if (!guard) return busy;       // never sleeps { MutexUnguard
//   open{guard}; ... }              // lets go for a scope
//
// Thread context only, not with preemption or interrupts off. Not recursive. A free mutex costs one
// compare-exchange each way. Debug builds check order (lockdep) and ownership.
#pragma once

#include "base/thread_annotations.h"
#include "core/sync/lockdep.h"
#include "core/sync/pi_lock.h"

namespace core {

class CAPABILITY("mutex") Mutex {
 public:
  constexpr Mutex(const char* name = nullptr, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE())
      : lock_class_(name, file, line), lock_("Mutex waiters", nullptr, 0) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  bool is_held_by_current() const { return lock_.is_owned_by_current(); }
  bool is_locked() const { return lock_.owner() != nullptr; }
  // Tells the compiler, and in debug builds checks, that the caller holds this.
  void assert_held() const ASSERT_CAPABILITY(this) {
    base::debug_verify(is_held_by_current(), "the mutex is not held");
  }

 private:
  friend class MutexGuard;
  friend class MutexTryGuard;
  friend class MutexUnguard;
  friend class WaitQueue;

  INLINE_GUARD void lock_mutex(LockNesting nesting) {
    lockdep_acquire(lock_class_, this, LockKind::mutex, LockAttempt::blocking, nesting);
    lock_.acquire();
  }
  INLINE_GUARD bool try_lock_mutex() {
    if (!lock_.try_acquire()) return false;
    lockdep_acquire(lock_class_, this, LockKind::mutex, LockAttempt::try_only, LockNesting::normal);
    return true;
  }
  void unlock_mutex() {
    lockdep_release(this);
    lock_.release();
  }

  [[no_unique_address]] LockClass lock_class_;
  PiLock lock_;
};

class SCOPED_CAPABILITY [[nodiscard]] MutexGuard {
 public:
  INLINE_GUARD explicit MutexGuard(Mutex& mutex, LockNesting nesting = LockNesting::normal) ACQUIRE(mutex)
      : mutex_(mutex), nesting_(nesting) {
    mutex.lock_mutex(nesting);
  }
  ~MutexGuard() RELEASE() {
    if (held_) mutex_.unlock_mutex();
  }
  MutexGuard(const MutexGuard&) = delete;
  MutexGuard& operator=(const MutexGuard&) = delete;

  // Early release, and taking it again.
  void unlock() RELEASE() {
    held_ = false;
    mutex_.unlock_mutex();
  }
  INLINE_GUARD void lock() ACQUIRE() {
    mutex_.lock_mutex(nesting_);
    held_ = true;
  }

 private:
  friend class MutexUnguard;
  friend class WaitQueue;
  Mutex& mutex_;
  LockNesting nesting_;
  bool held_ = true;
};

// The analysis counts the mutex as held after the constructor: test the guard before anything else.
class SCOPED_CAPABILITY [[nodiscard]] MutexTryGuard {
 public:
  INLINE_GUARD explicit MutexTryGuard(Mutex& mutex) ACQUIRE(mutex)
      : mutex_(mutex), held_(mutex.try_lock_mutex()) {}
  ~MutexTryGuard() RELEASE() {
    if (held_) mutex_.unlock_mutex();
  }
  MutexTryGuard(const MutexTryGuard&) = delete;
  MutexTryGuard& operator=(const MutexTryGuard&) = delete;
  explicit operator bool() const { return held_; }

 private:
  Mutex& mutex_;
  bool held_;
};

// Lets go of a guard's mutex for a scope. What the mutex protects may have changed afterwards; the analysis
// does not know that it is open inside, so such a scope touches nothing that is GUARDED_BY it.
class [[nodiscard]] MutexUnguard {
 public:
  explicit MutexUnguard(MutexGuard& guard) : guard_(guard) { guard_.mutex_.unlock_mutex(); }
  ~MutexUnguard() { guard_.mutex_.lock_mutex(guard_.nesting_); }
  MutexUnguard(const MutexUnguard&) = delete;

 private:
  MutexGuard& guard_;
};

}  // namespace core
