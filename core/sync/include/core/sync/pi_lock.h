// The priority-inheriting lock underneath Mutex, RwMutex and futex-PI, and the chains it forms.
//
// A thread that waits for a PiLock lends its urgency to the owner; if the owner waits itself, the loan
// travels on, lock by lock, until it reaches a thread that runs:
//
//   thread A (urgent) --blocked_on--> PiWaiter --in--> PiLock X --owner--> thread B --blocked_on--> ...
//   PiLock Y ...
//                                        |
//                                        +-- the most urgent waiter of X is also in B's tree of donors
//
// A thread's effective urgency is the best of its own and of its donors. The states of a lock:
//
//   owner word 0            free, nobody waits: acquire is one compare-exchange
//   owner word = thread     owned, nobody waits: release is one compare-exchange
//   owner word | waiting    somebody waits (or is about to): all changes happen under lock_
//   waiting alone           released; the first waiter was woken and will take it, unless a more urgent
//   thread (or, among
//                           fair threads, any that runs) comes first
//
// Locking: PiLock::lock_ before PiState::lock before run queues. A walk along a chain holds at most one
// lock's and one thread's, drops them at each hop, and runs under RCU, which keeps the threads it meets
// alive. Its length is bounded by chain_limit.
//
// Futex-PI: the personality keeps one PiLock per contended futex; see the functions under "for others".
#pragma once

#include <atomic>
#include <cstdint>

#include "base/intrusive_tree.h"
#include "base/result.h"
#include "core/sync/deadline.h"
#include "core/sync/spin_lock.h"
#include "core/sync/urgency.h"

namespace core {

class PiLock;
class Thread;

// One thread's wait for one lock; lives on the waiting thread's stack (futex requeue: wherever its owner
// likes).
struct PiWaiter {
  Thread* thread = nullptr;
  PiLock* lock = nullptr;  // null: not waiting (any more)
  Urgency urgency;         // key in the lock's tree; protected by lock->lock_
  Urgency donated;         // key in the owner's tree; protected by the owner's PiState::lock
  base::TreeHook in_lock;
  base::TreeHook in_owner;  // linked for the most urgent waiter of an owned lock
};

// The part of it in every thread.
struct PiState {
  SpinLock lock{"PiState"};
  base::IntrusiveTree<PiWaiter, &PiWaiter::in_owner, &PiWaiter::donated> donors GUARDED_BY(lock);
  PiWaiter* blocked_on GUARDED_BY(lock) = nullptr;
  Urgency own GUARDED_BY(lock);
  Urgency effective GUARDED_BY(lock);
};

// Changes a thread's own urgency (setscheduler, nice) and passes the consequence along its chain.
void pi_set_own_urgency(Thread& thread, Urgency own);

class PiLock {
 public:
  static constexpr unsigned chain_limit = 1024;
  enum class CheckDeadlock : std::uint8_t { no, yes };

  constexpr PiLock(const char* name = nullptr, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE())
      : lock_(name, file, line) {}
  ~PiLock() {
    base::debug_verify(owner_word_.load(std::memory_order_relaxed) == 0, "lock destroyed while held");
  }

  // For the calling thread; thread context, may sleep.
  bool try_acquire() {
    std::uintptr_t expected = 0;
    // acquire: what the last owner wrote is visible. relaxed on failure: nothing was learnt.
    return owner_word_.compare_exchange_strong(expected, current_word(), std::memory_order_acquire,
                                               std::memory_order_relaxed) ||
           (expected == waiting && try_acquire_slow());
  }
  void acquire() {
    if (!try_acquire_fast()) [[unlikely]]
      acquire_slow_uninterruptible();
  }
  // EINTR, ETIMEDOUT; EDEADLK when asked to check and the chain leads back to the caller.
  base::Result<void> acquire(WaitMode mode, Deadline deadline, CheckDeadlock check = CheckDeadlock::no);
  void release() {
    std::uintptr_t expected = current_word();
    // release: what we wrote is visible to the next owner.
    if (!owner_word_.compare_exchange_strong(expected, 0, std::memory_order_release,
                                             std::memory_order_relaxed)) [[unlikely]]
      release_slow();
  }
  bool is_owned_by_current() const { return owner() == arch::current_thread(); }
  // Stale at once unless the caller owns the lock.
  Thread* owner() const {
    // SAFETY: the word is a Thread* with the waiting flag in bit 0. relaxed: see above.
    return reinterpret_cast<Thread*>(owner_word_.load(std::memory_order_relaxed) & ~waiting);
  }
  bool is_contended() const { return owner_word_.load(std::memory_order_relaxed) & waiting; }

  // --- For others: futex-PI acts for threads that never called the kernel. The caller serialises these with
  // a lock of its own (the futex bucket's), except finish_waiting.
  //
  // Declares `thread` the owner of a lock that nobody owns or waits for.
  void set_owner_for(Thread& thread);
  // Puts `waiter` (with .thread set) in the queue for a thread that is not running (requeue) or for the
  // caller. False: the lock was free and waiter.thread now owns it.
  bool start_waiting(PiWaiter& waiter);
  // The waiting thread itself sleeps until it owns the lock, or gives up (then the waiter is out of the
  // queue). EDEADLK as above: the check follows every lock, also the kernel's own, so the caller holds none.
  base::Result<void> finish_waiting(PiWaiter& waiter, WaitMode mode, Deadline deadline,
                                    CheckDeadlock check = CheckDeadlock::no);
  // The thread that would get the lock next, null if nobody waits. RCU keeps it alive for the caller.
  Thread* first_waiter();
  // The owner (whoever calls) passes the lock to `next`, which owns it from now on and is woken. False if
  // `next` has stopped waiting or is not the first any more: look again. With null: releases a lock that
  // nobody waits for.
  bool hand_over(Thread* next);

 private:
  friend void pi_set_own_urgency(Thread&, Urgency);
  friend class RwMutex;
  static constexpr std::uintptr_t waiting = 1;
  using Waiters = base::IntrusiveTree<PiWaiter, &PiWaiter::in_lock, &PiWaiter::urgency>;

  // SAFETY: pointers to threads are aligned; the flag lives in bit 0.
  static std::uintptr_t word(Thread* thread) { return reinterpret_cast<std::uintptr_t>(thread); }
  static std::uintptr_t current_word() { return word(arch::current_thread()); }
  bool try_acquire_fast() {
    std::uintptr_t expected = 0;
    // acquire, relaxed: as in try_acquire.
    return owner_word_.compare_exchange_strong(expected, current_word(), std::memory_order_acquire,
                                               std::memory_order_relaxed);
  }
  bool try_acquire_slow();
  void acquire_slow_uninterruptible();
  base::Result<void> acquire_slow(WaitMode mode, Deadline deadline, CheckDeadlock check);
  void release_slow();

  bool try_take_locked(Thread& thread, PiWaiter* waiter) REQUIRES(lock_);
  void set_owner_locked(Thread& thread) REQUIRES(lock_);
  Thread* enqueue_locked(PiWaiter& waiter) REQUIRES(lock_);
  Thread* dequeue_locked(PiWaiter& waiter) REQUIRES(lock_);
  void spin_on_owner(const PiWaiter& waiter);
  base::Result<void> wait_until_owned(PiWaiter& waiter, WaitMode mode, Deadline deadline);
  static void recompute_locked(Thread& thread, PiState& state) REQUIRES(state.lock);
  // Carries a change of `thread`'s donors or own urgency along the chain.
  static void propagate(Thread* thread);
  static bool chain_leads_to(Thread* from, Thread* target);

  std::atomic<std::uintptr_t> owner_word_{0};
  SpinLock lock_;
  Waiters waiters_ GUARDED_BY(lock_);
};

}  // namespace core
