#include "syscalls/async_io/uring_sq_thread.h"

#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "syscalls/async_io/uring_ring.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

using core::MutexGuard;

void UringSqThread::become(const Task& creator) {
  files_ = creator.files;
  file_system_ = creator.file_system;
}

void UringSqThread::stop() {
  stop_.store(true);
  ring_.enter_queue.wake_all();
}

void UringSqThread::body(Context& context, void* argument) {
  auto self = RefPtr<UringSqThread>::adopt(static_cast<UringSqThread*>(argument));
  auto ring = RefPtr<Ring>::adopt(&self->ring_);
  UringWorkers& workers = self->workers_;
  workers.register_thread(*self);
  context.task.set_files(std::move(self->files_));
  context.task.set_file_system(std::move(self->file_system_));
  ring->begin_wait(context.task);
  self->run(context);
  // What it has submitted ends before it does.
  ring->abandon(context.task);
  workers.cancel_of(&context.task);
  workers.unregister_thread(*self);
  workers.sq_thread_ended();
  ring->enter_queue.wake_all();
}

bool UringSqThread::look(Context& context) {
  bool did = ring_.drain(context);
  if (ring_.has_submissions() && !ring_.disabled.load()) {
    MutexGuard guard{ring_.submit_lock};
    auto submitted = ring_.submit(context, 8);
    did = did || (submitted && *submitted);
  }
  return did;
}

void UringSqThread::run(Context& context) {
  std::uint64_t last = core::monotonic_ns();
  while (!stop_.load()) {
    if (look(context)) {
      last = core::monotonic_ns();
      ring_.sq_space.wake_all();
      continue;
    }
    if (core::monotonic_ns() - last < idle_ns_) {
      core::yield();
      continue;
    }
    auto flags = ring_.word(&UringShared::sq_flags);
    flags.fetch_or(uring::sq_need_wakeup);
    // A program that has not seen the flag has moved the tail before we look again.
    (void)!ring_.enter_queue.wait(core::WaitMode::uninterruptible, [&] {
      return stop_.load() || ring_.has_work() || (ring_.has_submissions() && !ring_.disabled.load());
    });
    flags.fetch_and(~uring::sq_need_wakeup);
    last = core::monotonic_ns();
  }
}

}  // namespace linux_abi
