// Priority-inheriting futexes. The word holds the owner's thread id and the waiters bit; the kernel keeps,
// for each contended word, a core::PiLock whose owner is that thread, so that waiters lend it their urgency.
//
// A FutexPi is made by the first thread that has to wait, and lives while threads wait for the lock or its
// owner still knows it. All of them hang in one table of lists, protected by pi_table_lock, a sleeping mutex:
// unlike the plain operations these need user memory to change in step with the kernel's state.
#include "core/memory/user_copy.h"
#include "core/sync/pi_lock.h"
#include "futex_private.h"
#include "linux_abi/abi/process.h"

namespace linux_abi {

class FutexPi {
 public:
  base::ListHook hook;  // in the table
  FutexKey key;
  core::PiLock lock{"futex PI"};
  RefPtr<Task> owner;  // the thread the lock is owned by; null while it changes hands
  unsigned waiters = 0;
  FutexPi* next_held = nullptr;
  ~FutexPi() = default;
};

namespace {

[[clang::no_destroy]] constinit core::Mutex pi_table_lock{"futex PI table"};
[[clang::no_destroy]] constinit base::IntrusiveList<FutexPi, &FutexPi::hook> pi_table;

FutexPi* find_locked(const FutexKey& key) REQUIRES(pi_table_lock) {
  for (FutexPi& state : pi_table)
    if (state.key == key) return &state;
  return nullptr;
}

Result<FutexPi*> find_or_make_locked(const FutexKey& key, Task& owner) REQUIRES(pi_table_lock) {
  if (FutexPi* state = find_locked(key)) return state;
  auto* state = new (std::nothrow) FutexPi;
  if (!state) return error(Errno::enomem);
  state->key = key;
  state->owner = RefPtr<Task>(&owner);
  state->lock.set_owner_for(owner.thread());
  pi_table.push_back(*state);
  return state;
}

void drop_if_unused_locked(FutexPi& state) REQUIRES(pi_table_lock) {
  if (state.waiters) return;
  pi_table.remove(state);
  if (state.owner) (void)state.lock.hand_over(nullptr);
  delete &state;
}

RefPtr<Task> task_of_word(std::uint32_t word) {
  RefPtr<Pid> pid = Pid::get(static_cast<int>(word & futex_tid_mask));
  return pid ? pid->task_reference() : RefPtr<Task>{};
}

// One attempt to get the word without waiting. True: we own it. The waiters bit is set when it must be.
Result<bool> try_word(std::uintptr_t address, std::uint32_t id, std::uint32_t& word, bool others_wait) {
  for (;;) {
    word = TRY(core::load_user_word(UserAddress(address)));
    std::uint32_t desired;
    bool take = !(word & futex_tid_mask);
    if (take)
      desired = id | (word & futex_owner_died) | (others_wait ? futex_waiters : 0);
    else if ((word & futex_tid_mask) == id)
      return error(Errno::edeadlk);
    else
      desired = word | futex_waiters;
    if (desired == word) return false;
    if (TRY(core::compare_exchange_user_word(UserAddress(address), word, desired)) == word) {
      word = desired;
      return take;
    }
  }
}

// Writes the new owner's id into the word. `waiters` stays set while somebody else waits.
Result<void> set_word(std::uintptr_t address, std::uint32_t id, bool others_wait, bool owner_died) {
  std::uint32_t word = TRY(core::load_user_word(UserAddress(address)));
  for (;;) {
    std::uint32_t desired =
        id | (others_wait ? futex_waiters : 0) | (owner_died ? futex_owner_died : word & futex_owner_died);
    std::uint32_t found = TRY(core::compare_exchange_user_word(UserAddress(address), word, desired));
    if (found == word) return {};
    word = found;
  }
}

// Sleeps until the lock is ours. `state.waiters` was raised by the caller.
Result<long> wait_for_lock(Task& task, FutexPi& state, std::uintptr_t address, core::Deadline deadline,
                           core::PiWaiter& waiter) {
  auto got = state.lock.finish_waiting(waiter, core::WaitMode::interruptible, deadline);
  core::MutexGuard guard{pi_table_lock};
  --state.waiters;
  if (!got) {
    drop_if_unused_locked(state);
    return error(got.error() == Errno::eintr ? Errno::restart_silently : got.error());
  }
  state.owner = RefPtr<Task>(&task);
  auto written = set_word(address, static_cast<std::uint32_t>(task.id()), state.waiters > 0, false);
  drop_if_unused_locked(state);
  if (!written) return error(written.error());
  return 0;
}

}  // namespace

Result<long> futex_lock_pi(Task& task, std::uintptr_t address, FutexScope scope, core::Deadline deadline,
                           FutexTry mode) {
  FutexKey key = TRY(futex_key(task, address, scope));
  auto id = static_cast<std::uint32_t>(task.id());
  core::PiWaiter waiter;
  waiter.thread = &task.thread();
  FutexPi* state = nullptr;
  {
    core::MutexGuard guard{pi_table_lock};
    state = find_locked(key);
    std::uint32_t word = 0;
    if (TRY(try_word(address, id, word, state && state->waiters))) {
      if (state) {
        // The old owner let go in user mode; the kernel's lock follows the word.
        state->owner = RefPtr<Task>(&task);
      }
      return 0;
    }
    if (mode == FutexTry::try_only) return error(Errno::eagain);
    if (!state) {
      RefPtr<Task> owner = task_of_word(word);
      if (!owner) return error(Errno::esrch);
      state = TRY(find_or_make_locked(key, *owner));
    }
    auto queued = state->lock.start_waiting(waiter);
    if (!queued) {
      drop_if_unused_locked(*state);
      return error(queued.error());
    }
    ++state->waiters;
  }
  return wait_for_lock(task, *state, address, deadline, waiter);
}

Result<long> futex_unlock_pi(Task& task, std::uintptr_t address, FutexScope scope) {
  FutexKey key = TRY(futex_key(task, address, scope));
  auto id = static_cast<std::uint32_t>(task.id());
  core::MutexGuard guard{pi_table_lock};
  std::uint32_t word = TRY(core::load_user_word(UserAddress(address)));
  if ((word & futex_tid_mask) != id) return error(Errno::eperm);
  FutexPi* state = find_locked(key);
  if (!state) {
    // Nobody waits in the kernel.
    std::uint32_t found = TRY(core::compare_exchange_user_word(UserAddress(address), word, 0));
    if (found != word) return error(Errno::eagain);
    return 0;
  }
  core::RcuReadGuard readers;
  for (core::Thread* next = state->lock.first_waiter(); next; next = state->lock.first_waiter()) {
    Task* heir = static_cast<Task*>(next->personality);
    if (!heir) break;
    auto heir_id = static_cast<std::uint32_t>(heir->id());
    if (!state->lock.hand_over(next)) continue;
    state->owner = RefPtr<Task>::try_acquire(heir);
    return set_word(address, heir_id, true, false) ? Result<long>(0) : error(Errno::efault);
  }
  TRY(set_word(address, 0, false, false));
  drop_if_unused_locked(*state);
  return 0;
}

Result<long> futex_wait_requeue_pi(Task& task, std::uintptr_t from, std::uintptr_t to, FutexScope scope,
                                   std::uint32_t expected, std::uint32_t bitset, core::Deadline deadline) {
  if (from == to || !bitset) return error(Errno::einval);
  FutexKey target = TRY(futex_key(task, to, scope));
  // A requeue wakes the waiter, which then queues for the lock by itself: what it waited for has happened
  // either way.
  auto waited = futex_wait(task, from, scope, expected, bitset, deadline);
  if (!waited) return error(waited.error() == Errno::eintr ? Errno::restart_silently : waited.error());
  return futex_lock_pi(task, to, scope, deadline, FutexTry::wait);
}

Result<long> futex_requeue_pi(Task& task, std::uintptr_t from, std::uintptr_t to, FutexScope scope,
                              std::uint32_t move, std::uint32_t expected) {
  if (from == to) return error(Errno::einval);
  FutexKey source = TRY(futex_key(task, from, scope));
  TRY(futex_key(task, to, scope));
  if (TRY(core::load_user_word(UserAddress(from))) != expected) return error(Errno::eagain);
  std::uint32_t all = move == ~0u ? move : move + 1;
  return wake_key(source, all, futex_match_any);
}

void release_pi_locks(Task& task) {
  core::MutexGuard guard{pi_table_lock};
  for (FutexPi* state = pi_table.first(); state;) {
    FutexPi* following = pi_table.next(*state);
    if (state->owner == &task) {
      core::RcuReadGuard readers;
      core::Thread* next = state->lock.first_waiter();
      while (next && !state->lock.hand_over(next)) next = state->lock.first_waiter();
      state->owner = next ? RefPtr<Task>::try_acquire(static_cast<Task*>(next->personality)) : RefPtr<Task>{};
      if (!next) {
        (void)state->lock.hand_over(nullptr);
        drop_if_unused_locked(*state);
      }
    }
    state = following;
  }
}

}  // namespace linux_abi
