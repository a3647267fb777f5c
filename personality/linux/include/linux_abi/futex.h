// Futexes: sleeping and waking on words of user memory (futex(2)).
//
// Waiters are found through a hash of the word's identity: for private futexes the address space and address,
// for shared ones the memory object and offset. A bucket's raw lock is held for queue changes only; user
// memory is never touched under it. Instead a waiter first makes itself findable and then looks at the word:
//
//   waiter                          waker
//   1. queues itself                1. changes the word (in user mode)
//   2. reads the word               2. looks at the queue
//   3. sleeps, or leaves the queue if the word is not what the caller expected
//
// Both second steps come after a full barrier, so that either the waiter sees the new word or the waker the
// waiter.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/ref.h"
#include "core/memory/memory_object.h"
#include "core/sched/scheduler.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/task.h"

namespace linux_abi {

enum class FutexScope : std::uint8_t { private_to_process, shared };

// What a futex is, wherever it is mapped. Holds the object while the key lives.
struct FutexKey {
  const void* object = nullptr;  // AddressSpace or MemoryObject
  std::uint64_t offset = 0;
  RefPtr<core::MemoryObject> keep;
  bool operator==(const FutexKey& other) const { return object == other.object && offset == other.offset; }
};
// EINVAL when not aligned; EFAULT.
Result<FutexKey> futex_key(Task& task, std::uintptr_t address, FutexScope scope);

inline constexpr std::uint32_t futex_match_any = ~0u;

struct FutexBucket;
class FutexWaiter {
 public:
  base::ListHook hook;
  FutexKey key;
  std::uint32_t bitset = futex_match_any;
  core::Thread* thread = nullptr;
  // The queue the waiter is on, null once it was woken. Written under the bucket's lock; a requeue moves it.
  std::atomic<FutexBucket*> bucket{nullptr};
  RefPtr<core::MemoryObject> move_key;  // of the key a requeue gave it
  bool is_for_pi = false;               // FUTEX_WAIT_REQUEUE_PI: may only be requeued to a PI futex
  bool is_pi = false;                   // waits for a PI lock
  std::uint32_t pi_owner = 0;
  ~FutexWaiter() = default;
};

Result<long> futex_wait(Task& task, std::uintptr_t address, FutexScope scope, std::uint32_t expected,
                        std::uint32_t bitset, core::Deadline deadline);
Result<long> futex_wake(Task& task, std::uintptr_t address, FutexScope scope, std::uint32_t count,
                        std::uint32_t bitset);
Result<long> futex_requeue(Task& task, std::uintptr_t from, std::uintptr_t to, FutexScope scope,
                           std::uint32_t wake, std::uint32_t move, const std::uint32_t* expected);
Result<long> futex_wake_op(Task& task, std::uintptr_t first, std::uintptr_t second, FutexScope scope,
                           std::uint32_t wake_first, std::uint32_t wake_second, std::uint32_t operation);
// Waits for any of several; the index of the one that was woken.
struct FutexWaitSpecification {
  std::uintptr_t address = 0;
  std::uint32_t expected = 0;
  FutexScope scope = FutexScope::private_to_process;
};
Result<long> futex_wait_any(Task& task, std::span<const FutexWaitSpecification> futexes,
                            core::Deadline deadline);

// Priority-inheriting locks (futex_pi.cpp).
enum class FutexTry : std::uint8_t { wait, try_only };
Result<long> futex_lock_pi(Task& task, std::uintptr_t address, FutexScope scope, core::Deadline deadline,
                           FutexTry mode);
Result<long> futex_unlock_pi(Task& task, std::uintptr_t address, FutexScope scope);
Result<long> futex_wait_requeue_pi(Task& task, std::uintptr_t from, std::uintptr_t to, FutexScope scope,
                                   std::uint32_t expected, std::uint32_t bitset, core::Deadline deadline);
Result<long> futex_requeue_pi(Task& task, std::uintptr_t from, std::uintptr_t to, FutexScope scope,
                              std::uint32_t move, std::uint32_t expected);
// The PI locks that an ending thread still holds go to their next waiters.
void release_pi_locks(Task& task);

// FUTEX_WAKE with all bits, for clear_child_tid and robust lists.
void futex_wake_address(Task& task, std::uintptr_t address, int count);
// Marks the robust mutexes of an ending thread and passes on its PI locks.
void release_robust_futexes(Task& task);

}  // namespace linux_abi
