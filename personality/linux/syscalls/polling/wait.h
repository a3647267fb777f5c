// What the calls of this folder share: time-outs and the temporary signal mask.
#pragma once

#include "core/sync/deadline.h"
#include "linux_abi/signal_delivery.h"
#include "syscalls/polling/rows.h"

namespace linux_abi {

// A negative time-out waits for ever, zero only looks.
inline core::Deadline deadline_of_ms(int timeout_ms) {
  if (timeout_ms < 0) return core::Deadline::never();
  if (timeout_ms == 0) return core::Deadline::passed();
  return core::Deadline::after(static_cast<std::uint64_t>(timeout_ms) * 1'000'000);
}
template <typename Time>
Result<core::Deadline> deadline_of(const Time& timeout) {
  if (!timeout.is_valid()) return error(Errno::einval);
  std::uint64_t ns = to_nanoseconds(timeout);
  return ns ? core::Deadline::after(ns) : core::Deadline::passed();
}

inline Result<void> install_mask(Context& context, UserIn<SignalSet> mask, std::size_t size) {
  if (!mask) return {};
  if (size != sizeof(SignalSet)) return error(Errno::einval);
  set_temporary_mask(context.task, TRY(mask.read()));
  return {};
}

// After a wait with a temporary mask: a signal that ended it is delivered under that mask, everything else
// puts the old one back at once.
template <typename Value>
Result<Value> finish_with_mask(Context& context, Result<Value> result) {
  bool interrupted = !result && (result.error() == Errno::restart_no_handler ||
                                 result.error() == Errno::interrupted_finally);
  if (!interrupted) restore_mask_now(context.task);
  return result;
}

}  // namespace linux_abi
