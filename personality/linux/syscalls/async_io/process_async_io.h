// What a process has of asynchronous I/O: its aio contexts, the workers of its io_urings, and the rings that
// its threads registered. Made when first needed; ends with the program (linux_abi/process.h, AsyncIo).
#pragma once

#include "base/vector.h"
#include "core/sync/mutex.h"
#include "linux_abi/task.h"
#include "syscalls/async_io/aio_context.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

class ProcessAsyncIo final : public AsyncIo {
 public:
  // Made if there is none yet.
  static Result<ProcessAsyncIo*> of(Process& process);
  static ProcessAsyncIo* find(Process& process) {
    return static_cast<ProcessAsyncIo*>(process.async_io.load(std::memory_order_acquire));
  }

  Result<void> add(RefPtr<AioContext> context) EXCLUDES(lock_);
  // EINVAL: not the address of a context. `id` is what the ring says.
  Result<RefPtr<AioContext>> find_context(UserAddress address) EXCLUDES(lock_);
  // Takes it out; only one caller gets it.
  Result<RefPtr<AioContext>> remove(UserAddress address) EXCLUDES(lock_);

  // Made if there are none yet. They are there for whoever has submitted anything.
  Result<RefPtr<UringWorkers>> ensure_workers(Task& task) EXCLUDES(lock_);
  RefPtr<UringWorkers> workers() EXCLUDES(lock_);

  // io_uring files that a thread uses by a number of its own (IORING_REGISTER_RING_FDS).
  Result<RefPtr<vfs::File>> registered_ring(Task& task, int index) EXCLUDES(lock_);
  Result<long> register_rings(Task& task, UserAddress list, std::uint32_t count) EXCLUDES(lock_);
  Result<long> unregister_rings(Task& task, UserAddress list, std::uint32_t count) EXCLUDES(lock_);

  void thread_ends(Task& task) override;
  void program_ends(Task& task) override;

 private:
  Result<std::uint32_t> add_registered_ring(Task& task, std::uint32_t wanted, RefPtr<vfs::File> file)
      EXCLUDES(lock_);
  core::Mutex lock_{"asynchronous I/O of a process"};
  // By id; null: free.
  base::Vector<RefPtr<AioContext>> contexts_ GUARDED_BY(lock_);
  RefPtr<UringWorkers> workers_ GUARDED_BY(lock_);
  struct RegisteredRing {
    Task* task;
    std::uint32_t index;
    RefPtr<vfs::File> file;
  };
  static constexpr std::uint32_t most_registered_rings = 16;  // of a thread
  base::Vector<RegisteredRing> rings_ GUARDED_BY(lock_);
};

}  // namespace linux_abi
