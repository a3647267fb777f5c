#include "linux_abi/futex.h"

#include "core/memory/user_copy.h"
#include "futex_private.h"

namespace linux_abi {

namespace {

// Buckets for the whole system; a power of two.
constexpr unsigned bucket_count = 1024;
[[clang::no_destroy]] constinit FutexBucket buckets[bucket_count];

bool matches(const FutexWaiter& waiter, const FutexKey& key, std::uint32_t bitset) {
  return waiter.key == key && (waiter.bitset & bitset);
}

void enqueue(FutexWaiter& waiter) {
  FutexBucket& bucket = futex_bucket(waiter.key);
  core::SpinGuard<core::PreemptOff> guard{bucket.lock};
  bucket.waiters.push_back(waiter);
  waiter.bucket.store(&bucket, std::memory_order_relaxed);  // read by others under the lock only
}

// Sleeps while the waiter is queued. The word has been looked at after enqueue().
Result<void> sleep_queued(FutexWaiter& waiter, core::Deadline deadline) {
  for (;;) {
    core::sleep_begin(core::WaitMode::interruptible);
    // acquire: whoever woke us did what it did before.
    if (!waiter.bucket.load(std::memory_order_acquire)) {
      core::sleep_cancel();
      return {};
    }
    switch (core::sleep_commit(deadline)) {
      case core::SleepResult::woken:
        continue;
      case core::SleepResult::timed_out:
        return dequeue(waiter) ? error(Errno::etimedout) : Result<void>{};
      case core::SleepResult::interrupted:
        return dequeue(waiter) ? error(Errno::eintr) : Result<void>{};
    }
  }
}

}  // namespace

FutexBucket& futex_bucket(const FutexKey& key) {
  // SAFETY: the address is only mixed into a number.
  std::uint64_t mixed =
      reinterpret_cast<std::uintptr_t>(key.object) / 64 * 0x9e3779b97f4a7c15u + key.offset / 4;
  mixed *= 0xff51afd7ed558ccdu;
  return buckets[mixed >> 40 & (bucket_count - 1)];
}

Result<FutexKey> futex_key(Task& task, std::uintptr_t address, FutexScope scope) {
  if (address % sizeof(std::uint32_t)) return error(Errno::einval);
  if (!core::is_user_range(UserAddress(address), sizeof(std::uint32_t))) return error(Errno::efault);
  core::AddressSpace* space = task.thread().address_space;
  FutexKey key{space, address, {}};
  if (scope == FutexScope::private_to_process) return key;
  auto location = TRY(space->locate(UserAddress(address)));
  if (!location.object) return key;  // private memory: the same as a private futex
  key.object = location.object.get();
  key.offset = location.offset;
  key.keep = std::move(location.object);
  return key;
}

bool dequeue(FutexWaiter& waiter) {
  for (;;) {
    FutexBucket* bucket = waiter.bucket.load(std::memory_order_acquire);
    if (!bucket) return false;
    core::SpinGuard<core::PreemptOff> guard{bucket->lock};
    // A requeue may have moved it in between.
    if (waiter.bucket.load(std::memory_order_relaxed) != bucket) continue;
    bucket->waiters.remove(waiter);
    waiter.bucket.store(nullptr, std::memory_order_relaxed);
    return true;
  }
}

void wake_waiter_locked(FutexBucket& bucket, FutexWaiter& waiter) {
  core::RcuReadGuard readers;  // keeps the thread once it is free to go
  core::Thread* thread = waiter.thread;
  bucket.waiters.remove(waiter);
  // release: last touch; the waiter's stack frame may be gone from here on.
  waiter.bucket.store(nullptr, std::memory_order_release);
  core::wake(*thread);
}

Result<long> futex_wait(Task& task, std::uintptr_t address, FutexScope scope, std::uint32_t expected,
                        std::uint32_t bitset, core::Deadline deadline) {
  if (!bitset) return error(Errno::einval);
  FutexWaiter waiter;
  waiter.key = TRY(futex_key(task, address, scope));
  waiter.bitset = bitset;
  waiter.thread = &task.thread();
  enqueue(waiter);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // queued before the word is read (see the header)
  auto word = core::load_user_word(UserAddress(address));
  if (!word || *word != expected) {
    if (!dequeue(waiter)) return 0;  // somebody woke us already
    return error(word ? Errno::eagain : word.error());
  }
  TRY(sleep_queued(waiter, deadline));
  return 0;
}

Result<long> futex_wake(Task& task, std::uintptr_t address, FutexScope scope, std::uint32_t count,
                        std::uint32_t bitset) {
  if (!bitset) return error(Errno::einval);
  FutexKey key = TRY(futex_key(task, address, scope));
  return wake_key(key, count, bitset);
}

long wake_key(const FutexKey& key, std::uint32_t count, std::uint32_t bitset) {
  FutexBucket& bucket = futex_bucket(key);
  std::atomic_thread_fence(
      std::memory_order_seq_cst);  // the caller's store comes before the look at the queue
  if (bucket.waiters_hint_empty()) return 0;
  std::uint32_t woken = 0;
  // A few at a time, so that nobody waits for the lock while thousands are woken.
  constexpr std::uint32_t batch = 16;
  for (bool more = true; more && woken < count;) {
    core::SpinGuard<core::PreemptOff> guard{bucket.lock};
    more = false;
    std::uint32_t now = 0;
    FutexWaiter* next = nullptr;
    for (FutexWaiter* waiter = bucket.waiters.first(); waiter && woken < count; waiter = next) {
      next = bucket.waiters.next(*waiter);
      if (!matches(*waiter, key, bitset) || waiter->is_pi || waiter->is_for_pi) continue;
      if (now++ == batch) {
        more = true;
        break;
      }
      wake_waiter_locked(bucket, *waiter);
      ++woken;
    }
  }
  return static_cast<long>(woken);
}

Result<long> futex_requeue(Task& task, std::uintptr_t from, std::uintptr_t to, FutexScope scope,
                           std::uint32_t wake, std::uint32_t move, const std::uint32_t* expected) {
  FutexKey source = TRY(futex_key(task, from, scope)), target = TRY(futex_key(task, to, scope));
  if (expected && TRY(core::load_user_word(UserAddress(from))) != *expected) return error(Errno::eagain);
  std::uint32_t woken = static_cast<std::uint32_t>(wake_key(source, wake, futex_match_any));
  FutexBucket &first = futex_bucket(source), &second = futex_bucket(target);
  std::uint32_t moved = 0;
  if (source == target) return static_cast<long>(woken);
  while (moved < move) {
    RefPtr<core::MemoryObject> keep =
        target.keep;  // what the waiter held before is dropped outside the locks
    FutexPairGuard guard(first, second);
    FutexWaiter* found = nullptr;
    for (FutexWaiter* waiter = first.waiters.first(); waiter; waiter = first.waiters.next(*waiter)) {
      if (waiter->key != source || waiter->is_pi || waiter->is_for_pi) continue;
      found = waiter;
      break;
    }
    if (!found) break;
    first.waiters.remove(*found);
    std::swap(found->move_key, keep);
    found->key.object = target.object;
    found->key.offset = target.offset;
    second.waiters.push_back(*found);
    found->bucket.store(&second, std::memory_order_release);
    ++moved;
  }
  return static_cast<long>(woken + moved);
}

namespace {

// FUTEX_WAKE_OP: op, comparison and two 12-bit arguments in one word (futex(2)).
Result<bool> apply_operation(std::uintptr_t address, std::uint32_t operation) {
  auto sign_extend = [](std::uint32_t value) { return static_cast<std::int32_t>(value << 20) >> 20; };
  std::uint32_t code = operation >> 28 & 7, comparison = operation >> 24 & 15;
  std::int32_t argument = sign_extend(operation >> 12 & 0xfff), compared = sign_extend(operation & 0xfff);
  if (operation & 0x80000000) {
    if (argument < 0 || argument > 31) argument &= 31;
    argument = static_cast<std::int32_t>(1u << argument);
  }
  auto desired = [&](std::uint32_t old) -> std::uint32_t {
    auto value = static_cast<std::uint32_t>(argument);
    switch (code) {
      case 0:
        return value;
      case 1:
        return old + value;
      case 2:
        return old | value;
      case 3:
        return old & ~value;
      default:
        return old ^ value;
    }
  };
  if (code > 4) return error(Errno::enosys);
  std::uint32_t old = TRY(core::load_user_word(UserAddress(address)));
  for (;;) {
    std::uint32_t found = TRY(core::compare_exchange_user_word(UserAddress(address), old, desired(old)));
    if (found == old) break;
    old = found;
  }
  auto value = static_cast<std::int32_t>(old);
  switch (comparison) {
    case 0:
      return value == compared;
    case 1:
      return value != compared;
    case 2:
      return value < compared;
    case 3:
      return value <= compared;
    case 4:
      return value > compared;
    case 5:
      return value >= compared;
    default:
      return error(Errno::enosys);
  }
}

}  // namespace

Result<long> futex_wake_op(Task& task, std::uintptr_t first, std::uintptr_t second, FutexScope scope,
                           std::uint32_t wake_first, std::uint32_t wake_second, std::uint32_t operation) {
  FutexKey first_key = TRY(futex_key(task, first, scope)), second_key = TRY(futex_key(task, second, scope));
  bool also_second = TRY(apply_operation(second, operation));
  long woken = wake_key(first_key, wake_first, futex_match_any);
  if (also_second) woken += wake_key(second_key, wake_second, futex_match_any);
  return woken;
}

Result<long> futex_wait_any(Task& task, std::span<const FutexWaitSpecification> futexes,
                            core::Deadline deadline) {
  auto* waiters = new (std::nothrow) FutexWaiter[futexes.size()];
  if (!waiters) return error(Errno::enomem);
  std::span<FutexWaiter> all(waiters, futexes.size());
  Result<long> outcome = error(Errno::eagain);
  long woken = -1;
  auto leave = [&] {
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].thread && !dequeue(all[i]) && woken < 0) woken = static_cast<long>(i);
  };
  auto prepare = [&]() -> Result<void> {
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].key = TRY(futex_key(task, futexes[i].address, futexes[i].scope));
      all[i].thread = &task.thread();
      enqueue(all[i]);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (TRY(core::load_user_word(UserAddress(futexes[i].address))) != futexes[i].expected)
        return error(Errno::eagain);
    }
    return {};
  };
  auto any_woken = [&] {
    for (FutexWaiter& waiter : all)
      if (!waiter.bucket.load(std::memory_order_acquire)) return true;
    return false;
  };
  Result<void> ready = prepare();
  if (!ready) outcome = error(ready.error());
  while (ready) {
    core::sleep_begin(core::WaitMode::interruptible);
    if (any_woken()) {
      core::sleep_cancel();
      break;
    }
    auto result = core::sleep_commit(deadline);
    if (result == core::SleepResult::woken) continue;
    outcome = error(result == core::SleepResult::timed_out ? Errno::etimedout : Errno::eintr);
    break;
  }
  leave();
  delete[] waiters;
  if (woken >= 0) return woken;
  return outcome;
}

void futex_wake_address(Task& task, std::uintptr_t address, int count) {
  // Shared, because the mutex may lie in shared memory; for private memory that comes to the same key.
  (void)!futex_wake(task, address, FutexScope::shared, static_cast<std::uint32_t>(count), futex_match_any);
}

}  // namespace linux_abi
