#include "core/sync/rw_mutex.h"

#include "core/sync/blocking.h"
#include "core/sync/rcu.h"

namespace core {

void RwMutex::enter_read() {
  // relaxed: a guess for the exchange.
  std::int32_t readers = readers_.load(std::memory_order_relaxed);
  while (readers >= open) {
    // acquire: what the last writer wrote is visible.
    if (readers_.compare_exchange_weak(readers, readers + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed))
      return;
  }
  lock_read_slow();
}

bool RwMutex::try_enter_read() {
  std::int32_t readers = readers_.load(std::memory_order_relaxed);
  while (readers >= open) {
    // acquire: as above.
    if (readers_.compare_exchange_weak(readers, readers + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed))
      return true;
  }
  return false;
}

// The door is closed: queue behind the writer, lending it our urgency. When we own writer_ no writer is in,
// because a writer opens the door before it lets go.
void RwMutex::lock_read_slow() {
  writer_.acquire();
  // acquire: as in the fast path.
  readers_.fetch_add(1, std::memory_order_acquire);
  writer_.release();
}

void RwMutex::unlock_read() {
  lockdep_release(this);
  // Under RCU, so that a writer that sees the zero at once and ends its life is still there to be woken.
  // seq_cst: either we see the draining writer or it sees our zero.
  std::int32_t before = readers_.load(std::memory_order_relaxed);
  while (before > open) {
    // release: our reads come before the next writer's writes.
    if (readers_.compare_exchange_weak(before, before - 1, std::memory_order_release,
                                       std::memory_order_relaxed))
      return;
  }
  unlock_read_slow();
}

void RwMutex::unlock_read_slow() {
  RcuReadGuard reading;
  if (readers_.fetch_sub(1) != 1) return;
  if (Thread* writer = draining_.load()) wake(*writer);
}

void RwMutex::enter_write() {
  writer_.acquire();
  if (readers_.fetch_sub(open) == open) return;
  draining_.store(arch::current_thread());
  for (;;) {
    sleep_begin(WaitMode::uninterruptible);
    if (readers_.load() == 0) break;
    (void)sleep_commit(Deadline::never());
  }
  sleep_cancel();
  draining_.store(nullptr);
}

bool RwMutex::try_enter_write() {
  if (!writer_.try_acquire()) return false;
  std::int32_t expected = open;
  if (!readers_.compare_exchange_strong(expected, 0)) {
    writer_.release();
    return false;
  }
  return true;
}

void RwMutex::unlock_write() {
  lockdep_release(this);
  // release: our writes are visible to the readers that come in now.
  readers_.fetch_add(open, std::memory_order_release);
  writer_.release();
}

void RwMutex::downgrade() {
  readers_.fetch_add(open + 1, std::memory_order_release);
  writer_.release();
}

}  // namespace core
