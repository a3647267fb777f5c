// Taking a raw lock away from its holder, for the output of a panic only (Console::write_in_panic): the
// holder may be a CPU that was stopped, or the code that panicked, and will then never release it.
#pragma once

#include <arch/cpu.h>

#include "core/sync/lockdep.h"
#include "core/sync/spin_lock.h"

namespace core {

// Waits a moment for the holder and then makes the lock free. What it protects may be half changed.
inline void break_lock_in_panic(SpinLock& lock) NO_THREAD_SAFETY_ANALYSIS {
  constexpr unsigned patience_polls = 100'000;
#if NOS_DEBUG
  // It has locks of its own; and taking a lock again that this thread held is no mistake now.
  lockdep_set_enabled(false);
#endif
  for (unsigned i = 0; i < patience_polls && lock.is_locked(); ++i) arch::relax();
  lock.release_raw();
}

}  // namespace core
