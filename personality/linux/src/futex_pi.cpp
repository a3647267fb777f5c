// Priority-inheriting futexes. The word holds the owner's thread id and the waiters bit; the kernel keeps,
// for each contended word, a core::PiLock whose owner is that thread, so that waiters lend it their urgency.
//
// A FutexPi is made by the first thread that has to wait and lives while threads wait. As long as it is in
// the table its lock is owned, by whom the word says (or will say when the new owner has got as far). One
// that nobody inherits leaves the table at once; waiters that have given up but not noticed yet find it there
// no more. All of them hang in one table, protected by pi_table_lock, a sleeping mutex: unlike the plain
// operations these need user memory to change in step with the kernel's state.
#include <utility>

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
  RefPtr<Task> owner;  // the thread that the lock is owned by
  unsigned waiters = 0;
  bool owner_died = false;  // the one before ended with the lock: the next one is told in the word
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

Result<FutexPi*> make_locked(const FutexKey& key, Task& owner) REQUIRES(pi_table_lock) {
  auto* state = new (std::nothrow) FutexPi;
  if (!state) return error(Errno::enomem);
  state->key = key;
  state->owner = RefPtr<Task>(&owner);
  state->lock.set_owner_for(owner.thread());
  pi_table.push_back(*state);
  return state;
}

// Nobody waits in the lock's queue: it is free, and new waiters start afresh.
void retire_locked(FutexPi& state) REQUIRES(pi_table_lock) {
  if (state.hook.is_linked()) {
    pi_table.remove(state);
    (void)state.lock.hand_over(nullptr);
  }
  if (state.waiters == 0) delete &state;
}

void drop_if_unused_locked(FutexPi& state) REQUIRES(pi_table_lock) {
  if (state.waiters == 0) retire_locked(state);
}

// The owner lets go: the most urgent waiter owns the lock from here on. Null: nobody waits.
RefPtr<Task> pass_on_locked(FutexPi& state) REQUIRES(pi_table_lock) {
  core::RcuReadGuard readers;
  for (;;) {
    core::Thread* next = state.lock.first_waiter();
    if (!next) return {};
    if (!state.lock.hand_over(next)) continue;
    // It cannot end before it has been here for pi_table_lock.
    state.owner = RefPtr<Task>(static_cast<Task*>(next->personality));
    return state.owner;
  }
}

RefPtr<Task> task_of_word(std::uint32_t word) {
  RefPtr<Pid> pid = Pid::get(static_cast<int>(word & futex_tid_mask));
  return pid ? pid->task_reference() : RefPtr<Task>{};
}

// One attempt to get the word without waiting. True: we own it. The waiters bit is set otherwise.
Result<bool> try_word(std::uintptr_t address, std::uint32_t id, std::uint32_t& word, bool others_wait) {
  for (;;) {
    word = TRY(core::load_user_word(UserAddress(address)));
    if ((word & futex_tid_mask) == id) return error(Errno::edeadlk);
    // Without an owner, but with waiters: the kernel is about to pass it on (a dead owner's).
    bool take = !(word & futex_tid_mask) && !others_wait;
    std::uint32_t desired = take ? id | (word & futex_owner_died) : word | futex_waiters;
    if (desired == word) return false;
    if (TRY(core::compare_exchange_user_word(UserAddress(address), word, desired)) == word) {
      word = desired;
      return take;
    }
  }
}

// What the word says about an owner that ended with the lock: the mark goes when the lock is let go in order,
// and stays (or is made) when it passes to the next one.
enum class DeadOwner : std::uint8_t { forget, keep, mark };

// Writes the new owner's id into the word. The waiters bit is set while somebody else waits.
Result<void> set_word(std::uintptr_t address, std::uint32_t id, bool others_wait, DeadOwner dead) {
  std::uint32_t word = TRY(core::load_user_word(UserAddress(address)));
  for (;;) {
    std::uint32_t mark = dead == DeadOwner::mark   ? futex_owner_died
                         : dead == DeadOwner::keep ? word & futex_owner_died
                                                   : 0;
    std::uint32_t desired = id | (others_wait ? futex_waiters : 0) | mark;
    std::uint32_t found = TRY(core::compare_exchange_user_word(UserAddress(address), word, desired));
    if (found == word) return {};
    word = found;
  }
}

// Sleeps until the lock is ours. `state.waiters` was raised by the caller.
Result<long> wait_for_lock(Task& task, FutexPi& state, std::uintptr_t address, core::Deadline deadline,
                           core::PiWaiter& waiter) {
  auto got = state.lock.finish_waiting(waiter, core::WaitMode::interruptible, deadline,
                                       core::PiLock::CheckDeadlock::yes);
  core::MutexGuard guard{pi_table_lock};
  --state.waiters;
  if (!got) {
    drop_if_unused_locked(state);
    return error(got.error() == Errno::eintr ? Errno::restart_silently : got.error());
  }
  auto written = set_word(address, static_cast<std::uint32_t>(task.id()), state.waiters > 0,
                          std::exchange(state.owner_died, false) ? DeadOwner::mark : DeadOwner::keep);
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
    if (TRY(try_word(address, id, word, state != nullptr))) return 0;
    if (mode == FutexTry::try_only) return error(Errno::eagain);
    if (!state) {
      RefPtr<Task> owner = task_of_word(word);
      // Set before release_pi_locks(), which then finds what was made before.
      if (!owner || owner->pi_futexes_closed.load()) return error(Errno::esrch);
      state = TRY(make_locked(key, *owner));
    }
    (void)state->lock.start_waiting(waiter);
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
  if (RefPtr<Task> heir = pass_on_locked(*state))
    return set_word(address, static_cast<std::uint32_t>(heir->id()), true, DeadOwner::forget)
               ? Result<long>(0)
               : error(Errno::efault);
  auto freed = set_word(address, 0, false, DeadOwner::forget);
  retire_locked(*state);
  if (!freed) return error(freed.error());
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
      state->owner_died = true;
      if (!pass_on_locked(*state)) retire_locked(*state);
    }
    state = following;
  }
}

}  // namespace linux_abi
