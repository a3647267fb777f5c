// What the trap entry (entry.S) pushes, the same for kernel and user code.
#pragma once

#include <cstdint>

#include <arch_impl/user.h>

namespace arch {

using TrapFrame = UserRegisters;  // original_rax holds the error code of a trap of kernel code

inline bool from_user(const TrapFrame& frame) { return frame.cs & 3; }

}  // namespace arch

// From entry.S. All are called with interrupts off.
extern "C" {
// A trap or interrupt of user code; returns a UserEvent. Leaves interrupts on.
unsigned arch_handle_user_trap(std::uint64_t vector, std::uint64_t error_code, arch::TrapFrame& frame);
// A trap or interrupt of kernel code. Leaves interrupts off.
void arch_handle_kernel_trap(std::uint64_t vector, std::uint64_t error_code, arch::TrapFrame& frame);
// A trap on a stack of its own, of kernel or user code.
void arch_handle_special_trap(std::uint64_t vector, std::uint64_t error_code, arch::TrapFrame& frame);
// enter_user() did not go: a reschedule or an interruption was wanted.
unsigned arch_enter_user_slow(arch::UserRegisters& registers);
// The program counter cannot be loaded into the processor.
unsigned arch_bad_program_counter(arch::UserRegisters& registers);
}
