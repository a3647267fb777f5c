// One set of semaphores (semop(2)).
//
// The operations of one call happen together or not at all. Those who cannot go on wait in order; whoever
// changes a value carries out, on their behalf, every waiting call that has become possible, and wakes them
// with the result.
//
// SEM_UNDO: a process has one Undo for each set it used so, with what has to be added to each value when the
// process ends. It hangs in the process's list (touched by the process's own threads under its lock, and by
// the last one as it leaves) and in the set's list.
//
// Locking: the lock of a process's undo list before the lock of a set. What waits in the set is on the stack
// of its thread, and linked under the set's lock.
#pragma once

#include "syscalls/ipc/ipc_table.h"

namespace linux_abi::ipc {

// struct sembuf
struct SemaphoreOperation {
  std::uint16_t number = 0;
  std::int16_t amount = 0;
  std::int16_t flags = 0;
};

struct Undo;

class SemaphoreSet final : public Object {
 public:
  static constexpr int largest_value = 32767;
  struct Semaphore {
    std::uint16_t value = 0;
    int last_pid = 0;
  };
  enum class Waiting { for_more, for_zero };

  static Result<RefPtr<SemaphoreSet>> create(const vfs::Credentials& creator, std::uint32_t mode,
                                             std::size_t count);
  SemaphoreSet(const vfs::Credentials& creator, std::uint32_t mode, base::Vector<Semaphore> semaphores)
      : Object(creator, mode), count_(semaphores.size()), semaphores_(std::move(semaphores)) {}

  std::size_t size() const { return count_; }
  std::atomic<std::int64_t> operation_time{0};

  // Waits if need be: EAGAIN (IPC_NOWAIT, or the deadline), EINTR, EIDRM; ERANGE.
  Result<void> operate(Process& process, std::span<const SemaphoreOperation> operations,
                       core::Deadline deadline) EXCLUDES(lock_);
  Semaphore value(std::size_t index) EXCLUDES(lock_);
  int waiters(std::size_t index, Waiting kind) EXCLUDES(lock_);
  Result<void> set(std::size_t index, std::uint16_t value, int pid) EXCLUDES(lock_);
  Result<void> get_all(std::span<std::uint16_t> out) EXCLUDES(lock_);
  Result<void> set_all(std::span<const std::uint16_t> values, int pid) EXCLUDES(lock_);
  // After removal: everybody leaves with EIDRM.
  void wake_all() EXCLUDES(lock_);
  // The process ends.
  void apply_undo(Undo& undo, int pid) EXCLUDES(lock_);
  void add_undo(Undo& undo) EXCLUDES(lock_);

 private:
  struct Waiter {
    base::ListHook hook;
    std::span<const SemaphoreOperation> operations;
    Undo* undo = nullptr;
    int pid = 0;
    std::size_t blocked_at = 0;  // index into operations
    bool finished = false;
    Result<void> result;
  };
  enum class Outcome { done, would_block };
  Result<Outcome> attempt_locked(Waiter& waiter) REQUIRES(lock_);
  void take_back_locked(std::span<const SemaphoreOperation> done) REQUIRES(lock_);
  void serve_waiters_locked() REQUIRES(lock_);
  Result<void> check_there_locked() const REQUIRES(lock_);

  const std::size_t count_;
  core::Mutex lock_{"semaphore set"};
  core::WaitQueue queue_{"semaphore set"};
  base::Vector<Semaphore> semaphores_ GUARDED_BY(lock_);
  base::IntrusiveList<Waiter, &Waiter::hook> waiting_ GUARDED_BY(lock_);

 public:
  struct UndoLinks {
    base::ListHook set_hook;
  };

 private:
  base::IntrusiveList<UndoLinks, &UndoLinks::set_hook> undos_ GUARDED_BY(lock_);
};

struct Undo : SemaphoreSet::UndoLinks {
  base::ListHook process_hook;
  RefPtr<SemaphoreSet> set;
  base::Vector<std::int16_t> adjustments;  // protected by the set's lock
};

}  // namespace linux_abi::ipc
