#include "core/sync/completion.h"

namespace core {

// The wake happens under lock_: a waiter that finds the event passes through lock_ first, so once it returns
// nobody touches the completion any more.
void Completion::complete() {
  SpinGuard<IrqSave> guard(lock_);
  if (done_ < for_all - 1) ++done_;
  queue_.wake_one();
}

void Completion::complete_all() {
  SpinGuard<IrqSave> guard(lock_);
  done_ = for_all;
  queue_.wake_all();
}

bool Completion::is_done() const {
  SpinGuard<IrqSave> guard(lock_);
  return done_ != 0;
}

bool Completion::try_take() {
  SpinGuard<IrqSave> guard(lock_);
  if (done_ == 0) return false;
  if (done_ != for_all) --done_;
  return true;
}

base::Result<void> Completion::wait(WaitMode mode, Deadline deadline) {
  return queue_.wait(mode, [this] { return try_take(); }, deadline);
}

void Completion::reset() {
  SpinGuard<IrqSave> guard(lock_);
  done_ = 0;
}

}  // namespace core
