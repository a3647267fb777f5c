// What the architecture keeps for every thread, and the switch from one to the other.
//
// A thread that never runs user code has neither floating-point state nor thread pointer and costs no memory
// for them. Kernel code never uses the floating-point unit; the registers in the unit are always the ones of
// a user thread.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace core {
class Thread;
}

namespace arch {

struct ThreadState;  // complete in arch_impl/context.h

// Prepares a thread that will begin in entry(argument) on the stack that ends at `stack_top`, with interrupts
// enabled and the preemption count it is switched to with. `entry` must not return.
base::Result<void> initialize(ThreadState& state, void* stack_top, void (*entry)(void*), void* argument);

// The code that runs now, which no initialize() has made (boot, the idle threads), becomes the thread with
// this state.
void set_boot_thread_state(ThreadState& state);

// Releases what the state owns. The thread does not run any more.
void destroy(ThreadState& state);

// Interrupts off. Leaves `from` and continues `to`. Returns, when `from` is continued, the thread that was
// left for it: `previous` as given by that switch. A new thread starts in its entry after
// core::thread_starts(previous) (arch/upcalls.h), which ends what the scheduler does after a switch.
core::Thread* switch_to(ThreadState& from, ThreadState& to, core::Thread* previous);

// Gives a thread the state that running user code needs: may fail for want of memory. Called once before its
// first enter_user(), by exec or by copy_user_state().
base::Result<void> prepare_user_state(ThreadState& state);
// Fork and clone: the child gets the parent's floating-point registers, thread pointer and segment bases.
// `parent` is the calling thread's.
base::Result<void> copy_user_state(ThreadState& child, const ThreadState& parent);
// Exec: as in a process that has just begun. `state` is the calling thread's.
void reset_user_state(ThreadState& state);

// The thread's next enter_user() (or the one it is in) returns UserEvent::interrupt instead of going on: for
// signals and the like. The caller then sends a reschedule (arch/smp.h) to the CPU on which the thread runs,
// if it is running on another one. The wish stays until enter_user() has
// answered it, whatever interrupts and switches come between.
void interrupt_user(ThreadState& state);

}  // namespace arch

#include <arch_impl/context.h>
