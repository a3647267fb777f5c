// What a process has of asynchronous I/O: its aio contexts. Made at the first io_setup; ends
// with the program (linux_abi/process.h, AsyncIo).
#pragma once

#include "base/vector.h"
#include "core/sync/mutex.h"
#include "linux_abi/task.h"
#include "syscalls/async_io/aio_context.h"

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

  void thread_ends(Task& task) override;
  void program_ends(Task& task) override;

 private:
  core::Mutex lock_{"asynchronous I/O of a process"};
  // By id; null: free.
  base::Vector<RefPtr<AioContext>> contexts_ GUARDED_BY(lock_);
};

}  // namespace linux_abi
