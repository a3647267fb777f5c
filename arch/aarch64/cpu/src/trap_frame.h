// What the trap entry (entry.S) stores, the same for kernel and user code, and what it calls.
#pragma once

#include <cstdint>

#include <arch_impl/user.h>

namespace arch {

using TrapFrame = UserRegisters;

// Exception classes of ESR_EL1 (ARM DDI 0487, D19.2.37).
enum class TrapClass : unsigned {
  unknown = 0x00,
  wait = 0x01,
  no_unit = 0x07,
  pointer_authentication = 0x09,
  branch_target = 0x0d,
  illegal_state = 0x0e,
  system_call = 0x15,
  system_register = 0x18,
  scalable_vector = 0x19,
  pointer_failure = 0x1c,
  instruction_abort_user = 0x20,
  instruction_abort_kernel = 0x21,
  program_counter_alignment = 0x22,
  data_abort_user = 0x24,
  data_abort_kernel = 0x25,
  stack_alignment = 0x26,
  floating_point = 0x2c,
  error = 0x2f,
  hardware_break_user = 0x30,
  single_step_user = 0x32,
  watch_user = 0x34,
  break_instruction = 0x3c,
};
inline TrapClass class_of(std::uint64_t syndrome) { return static_cast<TrapClass>(syndrome >> 26 & 63); }

// Why translation failed: bits 2 to 5 of an abort's syndrome; the level is below.
enum class FaultStatus : unsigned { address_size = 0, translation = 1, access_flag = 2, permission = 3 };
inline bool is_translation_fault(std::uint64_t syndrome) { return (syndrome & 0x3f) < 0x10; }
inline FaultStatus fault_status(std::uint64_t syndrome) {
  return static_cast<FaultStatus>(syndrome >> 2 & 3);
}

inline Access access_of(std::uint64_t syndrome) {
  TrapClass trap = class_of(syndrome);
  if (trap == TrapClass::instruction_abort_user || trap == TrapClass::instruction_abort_kernel)
    return Access::execute;
  bool cache_maintenance = syndrome >> 8 & 1;
  return syndrome >> 6 & 1 && !cache_maintenance ? Access::write : Access::read;
}

// Does for processors without FEAT_HAFDBS what the others do in hardware: sets accessed or dirty in the entry
// that the fault is about. True: the access is allowed now. Interrupts off.
bool mend_access_and_dirty(std::uintptr_t address, std::uint64_t syndrome);

}  // namespace arch

// From entry.S. All are called with interrupts off.
extern "C" {
// A trap or interrupt of user code; returns a UserEvent. Leaves interrupts on.
unsigned arch_handle_user_trap(arch::TrapFrame& frame, std::uint64_t syndrome);
unsigned arch_handle_user_interrupt(arch::TrapFrame& frame);
// A trap or interrupt of kernel code. Leaves interrupts off.
void arch_handle_kernel_trap(arch::TrapFrame& frame, std::uint64_t syndrome);
void arch_handle_kernel_interrupt(arch::TrapFrame& frame);
// The hardware reports an error nobody waits for.
void arch_handle_error(arch::TrapFrame& frame, std::uint64_t syndrome);
[[noreturn]] void arch_bad_trap(arch::TrapFrame& frame, std::uint64_t syndrome);
[[noreturn]] void arch_stack_overflow(arch::TrapFrame& frame, std::uint64_t syndrome);
// enter_user() did not go: a reschedule or an interruption was wanted.
unsigned arch_enter_user_slow(arch::UserRegisters& registers);
}
