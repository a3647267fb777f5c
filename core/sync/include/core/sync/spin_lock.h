// The raw spin lock: for the few places that may not sleep (run queues, wait queues, interrupt hand-over).
// Everything else takes Mutex. Each user is listed in docs/locking.md with its reason.
//
//   SpinLock lock_{"timer tree"};
//   SpinGuard<IrqSave> guard{lock_};         // also taken by interrupt handlers
//   SpinGuard<PreemptOff> guard{lock_};      // never taken by interrupt handlers
//   SpinGuard<IrqsAlreadyOff> guard{lock_};  // the caller has interrupts off, checked in debug builds
//
// Held for a few dozen instructions, never across anything that may sleep, allocate without
// AllocationFlags::atomic or touch user memory. Not recursive. Unfair on purpose: in a virtual machine whose
// CPUs are themselves scheduled, a queue of waiters stands still whenever the host takes away the next in
// line.
#pragma once

#include <arch/cpu.h>

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/thread_annotations.h"
#include "core/sync/lock_class.h"
#include "core/sync/lockdep.h"
#include "core/sync/preempt.h"

namespace core {

// Interrupts off while held, restored after.
class IrqSave {
 public:
  IrqSave() : was_enabled_(arch::interrupts_enabled()) {
    if (was_enabled_) arch::disable_interrupts();
  }
  ~IrqSave() {
    if (!was_enabled_) return;
    arch::enable_interrupts();
    // What was woken inside asked for a reschedule that nobody has looked at yet.
    preempt_point();
  }
  IrqSave(const IrqSave&) = delete;
  IrqSave& operator=(const IrqSave&) = delete;

 private:
  bool was_enabled_;
};

class IrqsAlreadyOff {
 public:
  IrqsAlreadyOff() { base::debug_verify(!arch::interrupts_enabled(), "interrupts are on"); }
  IrqsAlreadyOff(const IrqsAlreadyOff&) = delete;
  IrqsAlreadyOff& operator=(const IrqsAlreadyOff&) = delete;
};

class CAPABILITY("spin lock") SpinLock {
 public:
  constexpr SpinLock(const char* name = nullptr, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE())
      : lock_class_(name, file, line) {}
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  // A hint, except for the holder.
  bool is_locked() const { return locked_.load(std::memory_order_relaxed) != 0; }
  const LockClass& lock_class() const { return lock_class_; }

  // For guards, and for the scheduler, which passes locked run queues from one thread to the next. The caller
  // has preemption or interrupts off.
  void acquire_raw() ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
    while (!try_acquire_raw()) {
      // relaxed: waiting only; the exchange that succeeds orders.
      while (locked_.load(std::memory_order_relaxed)) arch::relax();
    }
  }
  bool try_acquire_raw() TRY_ACQUIRE(true) NO_THREAD_SAFETY_ANALYSIS {
    // acquire: what the last holder wrote is visible to us.
    return locked_.exchange(1, std::memory_order_acquire) == 0;
  }
  void release_raw() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
    // release: what we wrote is visible to the next holder.
    locked_.store(0, std::memory_order_release);
  }

 private:
  std::atomic<std::uint32_t> locked_{0};
  [[no_unique_address]] LockClass lock_class_;
};

template <typename Context>
class SCOPED_CAPABILITY [[nodiscard]] SpinGuard {
 public:
  INLINE_GUARD explicit SpinGuard(SpinLock& lock, LockNesting nesting = LockNesting::normal) ACQUIRE(lock)
      : lock_(lock) {
    lockdep_acquire(lock.lock_class(), &lock, LockKind::spin, LockAttempt::blocking, nesting);
    lockdep_acquired_context(lock.lock_class());
    lock.acquire_raw();
  }
  ~SpinGuard() RELEASE() {
    lockdep_release(&lock_);
    lock_.release_raw();
  }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  [[no_unique_address]] Context context_;  // before the lock is taken, after it is released
  SpinLock& lock_;
};

}  // namespace core
