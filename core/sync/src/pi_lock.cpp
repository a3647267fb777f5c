#include "core/sync/pi_lock.h"

#include "core/sync/blocking.h"
#include "core/sync/rcu.h"
#include "core/sync/thread_base.h"

namespace core {

namespace {

PiState& pi_of(Thread& thread) { return ThreadBase::of(thread).pi; }

// May a thread take a free lock although `first` waits for it and has been woken? More urgent ones may; among
// fair threads whoever runs may, which saves a switch and cannot starve anybody that has a guarantee.
bool may_pass(Urgency mine, Urgency first) {
  return mine < first || (!first.is_real_time() && mine.level == first.level);
}

Urgency effective_urgency(Thread& thread) {
  auto& state = pi_of(thread);
  SpinGuard<PreemptOff> guard(state.lock);
  return state.effective;
}

}  // namespace

void PiLock::recompute_locked(Thread& thread, PiState& state) {
  Urgency effective = state.own;
  if (PiWaiter* donor = state.donors.first(); donor && donor->donated < effective) effective = donor->donated;
  if (effective == state.effective) return;
  state.effective = effective;
  scheduler_urgency_changed(thread, effective);
}

// --- Queue and owner, under lock_.

bool PiLock::try_take_locked(Thread& thread, PiWaiter* waiter) {
  // From here on both fast paths fail and come to lock_. acquire: pairs with the release of the last owner.
  owner_word_.fetch_or(waiting, std::memory_order_acquire);
  if (owner()) return false;
  PiWaiter* first = waiters_.first();
  if (first && first != waiter && !may_pass(effective_urgency(thread), first->urgency)) return false;
  if (waiter) {
    waiters_.remove(*waiter);
    auto& state = pi_of(thread);
    SpinGuard<PreemptOff> guard(state.lock);
    state.blocked_on = nullptr;
    waiter->lock = nullptr;
  }
  set_owner_locked(thread);
  return true;
}

void PiLock::set_owner_locked(Thread& thread) {
  PiWaiter* first = waiters_.first();
  owner_word_.store(word(&thread) | (first ? waiting : 0));
  if (!first) return;
  auto& state = pi_of(thread);
  SpinGuard<PreemptOff> guard(state.lock);
  first->donated = first->urgency;
  state.donors.insert(*first);
  recompute_locked(thread, state);
}

// Returns the thread whose donors have changed, for propagate().
Thread* PiLock::enqueue_locked(PiWaiter& waiter) {
  {
    auto& state = pi_of(*waiter.thread);
    SpinGuard<PreemptOff> guard(state.lock);
    base::debug_verify(!state.blocked_on, "a thread waits for two locks");
    waiter.urgency = state.effective;
    waiter.lock = this;
    state.blocked_on = &waiter;
  }
  PiWaiter* old_first = waiters_.first();
  waiters_.insert(waiter);
  Thread* owner_now = owner();
  if (waiters_.first() != &waiter || !owner_now) return nullptr;
  auto& state = pi_of(*owner_now);
  SpinGuard<PreemptOff> guard(state.lock);
  if (old_first) state.donors.remove(*old_first);
  waiter.donated = waiter.urgency;
  state.donors.insert(waiter);
  return owner_now;
}

// A waiter gives up. Returns as enqueue_locked.
Thread* PiLock::dequeue_locked(PiWaiter& waiter) {
  bool was_first = waiters_.first() == &waiter;
  waiters_.remove(waiter);
  {
    auto& state = pi_of(*waiter.thread);
    SpinGuard<PreemptOff> guard(state.lock);
    state.blocked_on = nullptr;
    waiter.lock = nullptr;
  }
  PiWaiter* first = waiters_.first();
  // relaxed: only the flag changes; whoever saw it set comes to lock_.
  if (!first) owner_word_.fetch_and(~waiting, std::memory_order_relaxed);
  if (!was_first) return nullptr;
  Thread* owner_now = owner();
  if (!owner_now) {
    // The lock was free and we were the one woken for it: pass that on.
    if (first) wake(*first->thread);
    return nullptr;
  }
  auto& state = pi_of(*owner_now);
  SpinGuard<PreemptOff> guard(state.lock);
  state.donors.remove(waiter);
  if (first) {
    first->donated = first->urgency;
    state.donors.insert(*first);
  }
  return owner_now;
}

// --- Chains.

// The analysis cannot follow locks that are taken in one turn of the loop and tried for against the order.
void PiLock::propagate(Thread* thread) NO_THREAD_SAFETY_ANALYSIS {
  for (unsigned hop = 0; hop < chain_limit;) {
    PreemptOff pinned;
    auto& state = pi_of(*thread);
    state.lock.acquire_raw();
    recompute_locked(*thread, state);
    PiWaiter* waiter = state.blocked_on;
    if (!waiter) {
      state.lock.release_raw();
      return;
    }
    PiLock& lock = *waiter->lock;
    // Against the order: try only, and start this hop again if somebody is there.
    if (!lock.lock_.try_acquire_raw()) {
      state.lock.release_raw();
      arch::relax();
      continue;
    }
    if (waiter->urgency == state.effective) {
      lock.lock_.release_raw();
      state.lock.release_raw();
      return;
    }
    PiWaiter* old_first = lock.waiters_.first();
    lock.waiters_.remove(*waiter);
    waiter->urgency = state.effective;
    lock.waiters_.insert(*waiter);
    // lock_ alone keeps the waiter where it is from here on.
    state.lock.release_raw();
    PiWaiter* first = lock.waiters_.first();
    Thread* owner_now = lock.owner();
    if (!owner_now) {
      if (first != old_first) wake(*first->thread);
      lock.lock_.release_raw();
      return;
    }
    if (first == old_first && first != waiter) {
      lock.lock_.release_raw();
      return;
    }
    auto& owner_state = pi_of(*owner_now);
    owner_state.lock.acquire_raw();
    owner_state.donors.remove(*old_first);
    first->donated = first->urgency;
    owner_state.donors.insert(*first);
    owner_state.lock.release_raw();
    lock.lock_.release_raw();
    thread = owner_now;
    ++hop;
  }
}

// As propagate.
bool PiLock::chain_leads_to(Thread* from, Thread* target) NO_THREAD_SAFETY_ANALYSIS {
  for (unsigned hop = 0; from && hop < chain_limit;) {
    if (from == target) return true;
    PreemptOff pinned;
    auto& state = pi_of(*from);
    state.lock.acquire_raw();
    PiWaiter* waiter = state.blocked_on;
    // relaxed look at the owner: it may change at once, then the chain did not exist.
    Thread* next = waiter ? waiter->lock->owner() : nullptr;
    state.lock.release_raw();
    from = next;
    ++hop;
  }
  return from != nullptr;  // longer than any chain should be
}

void pi_set_own_urgency(Thread& thread, Urgency own) {
  RcuReadGuard reading;
  {
    auto& state = pi_of(thread);
    SpinGuard<PreemptOff> guard(state.lock);
    state.own = own;
  }
  PiLock::propagate(&thread);
}

// --- The calling thread.

bool PiLock::try_acquire_slow() {
  SpinGuard<PreemptOff> guard(lock_);
  return try_take_locked(*arch::current_thread(), nullptr);
}

base::Result<void> PiLock::acquire(WaitMode mode, Deadline deadline, CheckDeadlock check) {
  if (try_acquire_fast()) return {};
  return acquire_slow(mode, deadline, check);
}

void PiLock::acquire_slow_uninterruptible() {
  // Cannot fail: nothing ends this wait but the lock.
  (void)!acquire_slow(WaitMode::uninterruptible, Deadline::never(), CheckDeadlock::no);
}

base::Result<void> PiLock::acquire_slow(WaitMode mode, Deadline deadline, CheckDeadlock check) {
  Thread* current = arch::current_thread();
  base::debug_verify(may_sleep(), "a sleeping lock is taken where the thread may not sleep");
  if (check == CheckDeadlock::no)
    base::debug_verify(owner() != current, "a mutex is taken twice by one thread");
  PiWaiter waiter;
  waiter.thread = current;
  Thread* to_boost = nullptr;
  {
    RcuReadGuard reading;  // the owner may end as soon as lock_ is open
    {
      SpinGuard<PreemptOff> guard(lock_);
      if (try_take_locked(*current, nullptr)) return {};
      to_boost = enqueue_locked(waiter);
    }
    if (to_boost) propagate(to_boost);
  }
  return finish_waiting(waiter, mode, deadline, check);
}

// The owner runs on another CPU and will probably be done before we could be switched away and back.
void PiLock::spin_on_owner(const PiWaiter& waiter) {
  if (arch::cpu_count() == 1) return;
  RcuReadGuard reading;
  Thread* watched = owner();
  for (unsigned turn = 0; turn < 256; ++turn) {
    if (!watched || owner() != watched || !is_running_hint(*watched) || arch::need_reschedule()) return;
    arch::relax();
  }
}

base::Result<void> PiLock::finish_waiting(PiWaiter& waiter, WaitMode mode, Deadline deadline,
                                          CheckDeadlock check) {
  if (check == CheckDeadlock::no) return wait_until_owned(waiter, mode, deadline);
  {
    RcuReadGuard reading;
    if (chain_leads_to(owner(), waiter.thread)) {
      Thread* to_boost = nullptr;
      {
        SpinGuard<PreemptOff> guard(lock_);
        if (!waiter.lock || try_take_locked(*waiter.thread, &waiter)) return {};
        to_boost = dequeue_locked(waiter);
      }
      if (to_boost) propagate(to_boost);
      return base::error(base::Errno::edeadlk);
    }
  }
  return wait_until_owned(waiter, mode, deadline);
}

base::Result<void> PiLock::wait_until_owned(PiWaiter& waiter, WaitMode mode, Deadline deadline) {
  base::Errno reason{};
  for (;;) {
    spin_on_owner(waiter);
    sleep_begin(mode);
    Thread* to_boost = nullptr;
    bool done = false;
    {
      RcuReadGuard reading;
      {
        SpinGuard<PreemptOff> guard(lock_);
        if (!waiter.lock || try_take_locked(*waiter.thread, &waiter)) {
          done = true;
          reason = {};
        } else if (reason != base::Errno{}) {
          done = true;
          to_boost = dequeue_locked(waiter);
        }
      }
      if (to_boost) propagate(to_boost);
    }
    if (done) {
      sleep_cancel();
      if (reason != base::Errno{}) return base::error(reason);
      return {};
    }
    switch (sleep_commit(deadline)) {
      case SleepResult::woken:
        break;
      case SleepResult::timed_out:
        reason = base::Errno::etimedout;
        break;
      case SleepResult::interrupted:
        reason = base::Errno::eintr;
        break;
    }
  }
}

void PiLock::release_slow() {
  base::debug_verify(is_owned_by_current(), "a mutex is released by a thread that does not own it");
  Thread& current = *arch::current_thread();
  SpinGuard<PreemptOff> guard(lock_);
  PiWaiter* first = waiters_.first();
  if (!first) {
    // release: as in release().
    owner_word_.store(0, std::memory_order_release);
    return;
  }
  {
    auto& state = pi_of(current);
    SpinGuard<PreemptOff> state_guard(state.lock);
    state.donors.remove(*first);
    recompute_locked(current, state);
  }
  owner_word_.store(waiting, std::memory_order_release);
  wake(*first->thread);
}

// --- For others.

void PiLock::set_owner_for(Thread& thread) {
  SpinGuard<PreemptOff> guard(lock_);
  base::debug_verify(!owner() && waiters_.empty(), "the lock is in use");
  set_owner_locked(thread);
}

bool PiLock::start_waiting(PiWaiter& waiter) {
  RcuReadGuard reading;
  Thread* to_boost = nullptr;
  {
    SpinGuard<PreemptOff> guard(lock_);
    if (try_take_locked(*waiter.thread, nullptr)) return false;
    to_boost = enqueue_locked(waiter);
  }
  if (to_boost) propagate(to_boost);
  return true;
}

Thread* PiLock::first_waiter() {
  SpinGuard<PreemptOff> guard(lock_);
  PiWaiter* first = waiters_.first();
  return first ? first->thread : nullptr;
}

bool PiLock::hand_over(Thread* next) {
  SpinGuard<PreemptOff> guard(lock_);
  PiWaiter* first = waiters_.first();
  if (!first || !next) {
    if (first || next) return false;
    owner_word_.store(0, std::memory_order_release);
    return true;
  }
  if (first->thread != next) return false;
  Thread& old_owner = *owner();
  {
    auto& state = pi_of(old_owner);
    SpinGuard<PreemptOff> state_guard(state.lock);
    state.donors.remove(*first);
    recompute_locked(old_owner, state);
  }
  waiters_.remove(*first);
  {
    auto& state = pi_of(*next);
    SpinGuard<PreemptOff> state_guard(state.lock);
    state.blocked_on = nullptr;
    first->lock = nullptr;
  }
  set_owner_locked(*next);
  wake(*next);
  return true;
}

}  // namespace core
