// Pending sets and action tables: the data behind signals.
#include "linux_abi/signal_state.h"
#include "linux_abi/timers.h"
#include "linux_abi/user_account.h"

namespace linux_abi {

using base::Errno;
using base::error;

void QueuedSignal::release(QueuedSignal& entry) {
  if (UserAccount* account = std::exchange(entry.account, nullptr)) {
    account->pending_signals.fetch_sub(1, std::memory_order_relaxed);
    account->release_reference();
  }
  if (entry.timer)
    entry.timer->release_reference();
  else
    delete &entry;
}

PosixTimer* PendingSignals::take(int number, SigInfo& info) {
  QueuedSignal* found = nullptr;
  bool more = false;
  for (QueuedSignal& entry : queue_) {
    if (entry.info.number != number) continue;
    if (found) {
      more = true;
      break;
    }
    found = &entry;
  }
  if (!more) set_.remove(number);
  if (!found) {
    info = SigInfo(number, si::user);
    return nullptr;
  }
  queue_.remove(*found);
  info = found->info;
  PosixTimer* timer = found->timer;
  if (!timer) QueuedSignal::release(*found);
  return timer;
}

const QueuedSignal* PendingSignals::at(std::size_t index) {
  for (QueuedSignal& entry : queue_)
    if (index-- == 0) return &entry;
  return nullptr;
}

void PendingSignals::discard(SignalSet numbers) {
  if ((set_ & numbers).empty()) return;
  set_ = set_ & ~numbers;
  queue_.for_each_safe([&](QueuedSignal& entry) {
    if (!numbers.contains(entry.info.number)) return;
    queue_.remove(entry);
    QueuedSignal::release(entry);
  });
}

Result<RefPtr<SignalActions>> SignalActions::create() { return base::try_make_ref<SignalActions>(); }

Result<RefPtr<SignalActions>> SignalActions::try_clone() const {
  auto copy = TRY(create());
  core::MutexGuard guard{lock_};
  copy->copy_from_locked(actions_);
  return copy;
}

void SignalActions::copy_from_locked(const SigAction* from) NO_THREAD_SAFETY_ANALYSIS {
  // The copy is not visible to anybody yet.
  std::memcpy(actions_, from, sizeof(actions_));
}

SigAction SignalActions::get(int number) const {
  core::MutexGuard guard{lock_};
  return actions_[number - 1];
}

std::uint64_t SignalActions::handler(int number) const {
  core::MutexGuard guard{lock_};
  return actions_[number - 1].handler;
}

SigAction SignalActions::set(int number, const SigAction& action) {
  core::MutexGuard guard{lock_};
  return std::exchange(actions_[number - 1], action);
}

void SignalActions::reset(int number) {
  core::MutexGuard guard{lock_};
  actions_[number - 1].handler = sig_default;
}

void SignalActions::reset_handlers() {
  core::MutexGuard guard{lock_};
  for (SigAction& action : actions_) {
    bool ignored = action.handler == sig_ignore;
    action = SigAction{};
    if (ignored) action.handler = sig_ignore;
  }
}

bool SignalActions::is_ignored(int number) const { return is_ignored(number, handler(number)); }

bool SignalActions::is_ignored(int number, std::uint64_t handler) {
  return handler == sig_ignore || (handler == sig_default && ignored_by_default.contains(number));
}

}  // namespace linux_abi
