// Running user code.
//
// A thread of a process is a loop:
//
//   for (;;) {
//     switch (arch::enter_user(registers)) {     // runs the program until it needs the kernel
//       case UserEvent::system_call: ... registers.system_call_number(), argument(0..5); set_result(...)
//       case UserEvent::fault:       ... arch::last_user_fault()
//       case UserEvent::interrupt:   // already handled; time to look at signals and preemption
//     }
//   }
//
// enter_user() is called with interrupts enabled and preemption allowed, and returns the same way. Before it
// goes to user mode it turns interrupts off; if a reschedule is wanted or interrupt_user() (arch/context.h)
// was called for the thread, it calls core::prepare_to_enter_user() (arch/upcalls.h) and returns
// UserEvent::interrupt.
#pragma once

#include <cstdint>

namespace arch {

struct UserRegisters;  // complete in arch_impl/user.h; every architecture has the accessors listed there:
//   std::uintptr_t program_counter() const, stack_pointer() const; void set_program_counter(v),
//   set_stack_pointer(v); std::uint64_t argument(unsigned i) const (0..5); void set_argument(i, v); long
//   system_call_number() const;      what the program asked for when it trapped, -1 when it did not come by a
//   call void set_system_call_number(long);    ptrace and restart_syscall; -1: no call std::uint64_t result()
//   const; void set_result(std::uint64_t) void restart_system_call();           back to the call instruction
//   with the original number and arguments static UserRegisters for_program_start(pc, sp)

enum class UserEvent : unsigned { system_call, interrupt, fault };

inline UserEvent enter_user(UserRegisters& registers);

enum class Access : std::uint8_t { read, write, execute };

struct UserFault {
  enum class Kind : std::uint8_t {
    page_fault,      // address, access
    protection_key,  // address, access: as page_fault, refused by a protection key
    illegal_instruction,
    breakpoint,
    debug_step,   // single step or debug register
    debug_event,  // the same, at an address of its own
    divide_error,
    overflow,
    bounds,
    floating_point,
    simd_floating_point,
    general_protection,  // privileged instruction, non-canonical address …
    segment_not_present,
    stack,
    alignment,
    machine_check,
  };
  Kind kind = Kind::page_fault;
  Access access = Access::read;
  bool page_present = false;  // page_fault: a translation was there and refused
  std::uintptr_t address = 0;
  std::uint64_t trap_number = 0;  // the architecture's own numbers, for the signal frame
  std::uint64_t error_code = 0;
  int signal_code = 0;  // floating point and debug: Linux's si_code (FPE_FLTDIV, TRAP_TRACE …), else 0
};

// Why the calling thread's last enter_user() returned UserEvent::fault.
const UserFault& last_user_fault();

}  // namespace arch

#include <arch_impl/user.h>
