#include "arch_common/user_state.h"

#include <utility>

#include <arch/cpu.h>
#include <arch/linux_trace.h>
#include <arch/upcalls.h>

#include "base/check.h"

namespace arch {

base::Result<void> prepare_user_state(ThreadState& state) {
  if (state.unit) return {};
  UnitMemory unit = TRY(allocate_unit());
  InterruptsOff off;
  state.unit_cpu = ~0u;
  state.unit = unit;
  if (is_current(state)) load_unit(state);
  return {};
}

void freeze_user_state(ThreadState& state) {
  InterruptsOff off;
  base::verify(is_current(state) && state.unit, "not the calling thread's registers");
  save_unit(state);
  state.frozen = std::exchange(state.unit, nullptr);
}

void thaw_user_state(ThreadState& state) {
  InterruptsOff off;
  state.unit = std::exchange(state.frozen, nullptr);
  load_unit(state);
}

void interrupt_user(ThreadState& state) {
  // Seen by the thread's next way out of the kernel, which looks at it with interrupts off; where it is in
  // user mode, an interrupt brings it here. Not a wish for a reschedule: the scheduler would take that for
  // its own if the thread is interrupted once more before it gets there.
  __atomic_store_n(&state.user_interruption, true, __ATOMIC_SEQ_CST);
}

}  // namespace arch

// From arch_thread_start, the first code of a thread.
extern "C" void arch_thread_started(core::Thread* previous) { core::thread_starts(previous); }
