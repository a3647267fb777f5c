// What the trap entry (entry.S) stores, the same for kernel and user code.
#pragma once

#include <cstdint>

#include <arch_impl/user.h>

namespace arch {

using TrapFrame = UserRegisters;  // `status` holds sstatus after a trap of kernel code

}  // namespace arch

// From entry.S. All are called with interrupts off. `cause` and `value` are scause and stval.
extern "C" {
// A trap or interrupt of user code; returns a UserEvent. Leaves interrupts on.
unsigned arch_handle_user_trap(std::uint64_t cause, std::uint64_t value, arch::TrapFrame& frame);
// A trap or interrupt of kernel code. Leaves interrupts off.
void arch_handle_kernel_trap(std::uint64_t cause, std::uint64_t value, arch::TrapFrame& frame);
// enter_user() did not go: a reschedule or an interruption was wanted.
unsigned arch_enter_user_slow();
}
