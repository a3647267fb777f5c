// An event that happens once (or a number of times): one side complete()s, the other wait()s for it.
//
//   Completion done;
//   request.submit([&] { done.complete(); });      // any context
//   TRY(done.wait(WaitMode::killable));
//
// A completion may live on the waiter's stack: wait() returns only when complete() has finished with it.
#pragma once

#include "core/sync/wait_queue.h"

namespace core {

class Completion {
 public:
  constexpr Completion(const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : queue_("Completion", file, line) {}

  // One wait() may pass.
  void complete();
  // All present and future wait()s pass.
  void complete_all();
  bool is_done() const;
  base::Result<void> wait(WaitMode mode, Deadline deadline = Deadline::never());
  void wait() { (void)!wait(WaitMode::uninterruptible); }
  void reset();

 private:
  static constexpr std::uint32_t for_all = ~0u;
  bool try_take();

  mutable SpinLock lock_{"Completion"};
  std::uint32_t done_ GUARDED_BY(lock_) = 0;
  WaitQueue queue_;
};

}  // namespace core
