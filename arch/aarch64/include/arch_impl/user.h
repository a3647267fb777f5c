// AArch64: the registers of user code, and the call that runs it.
//
// While a thread is in user mode, SP_EL1 is the address of its UserRegisters: the trap stores the registers
// right there.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/user.h>
#include <arch_impl/asm_offsets.h>

namespace arch {

struct alignas(16) UserRegisters {
  std::uint64_t x[31] = {};
  std::uint64_t sp = 0, pc = 0, pstate = 0;  // up to here: Linux's struct user_pt_regs
  std::uint64_t original_x0 = 0;             // of a system call: its first argument is also its result
  std::int64_t number = -1;

  // How the instruction at `pc` was reached: by a call where its second bit alone is set.
  static constexpr std::uint64_t branch_type = 0xc00, branch_type_call = 0x800;
  // What a program (its debugger, its signal handler) may choose: condition flags and SSBS, DIT, BTYPE. User
  // mode with every interrupt enabled stays.
  static constexpr std::uint64_t user_flags = 0xf1001000 | branch_type;

  static UserRegisters for_program_start(std::uintptr_t program_counter, std::uintptr_t stack_pointer) {
    UserRegisters registers;
    registers.pc = program_counter;
    registers.sp = stack_pointer;
    return registers;
  }

  std::uintptr_t program_counter() const { return pc; }
  std::uintptr_t stack_pointer() const { return sp; }
  void set_program_counter(std::uintptr_t value) { pc = value; }
  void set_stack_pointer(std::uintptr_t value) { sp = value; }
  std::uint64_t argument(unsigned i) const { return i == 0 && number >= 0 ? original_x0 : x[i]; }
  void set_argument(unsigned i, std::uint64_t value) {
    x[i] = value;
    if (i == 0) original_x0 = value;
  }
  long system_call_number() const { return number; }
  void set_system_call_number(long value) { number = value; }
  std::uint64_t result() const { return x[0]; }
  void set_result(std::uint64_t value) { x[0] = value; }
  void restart_system_call() {
    pc -= 4;
    x[0] = original_x0;
    x[8] = static_cast<std::uint64_t>(number);
  }
  void set_flags(std::uint64_t value) { pstate = value & user_flags; }
  void set_single_step(bool on) { pstate = on ? pstate | 1 << 21 : pstate & ~(std::uint64_t{1} << 21); }
};

static_assert(offsetof(UserRegisters, sp) == USER_REGISTERS_SP);
static_assert(offsetof(UserRegisters, pc) == USER_REGISTERS_PC);
static_assert(offsetof(UserRegisters, pstate) == USER_REGISTERS_PSTATE);
static_assert(offsetof(UserRegisters, original_x0) == USER_REGISTERS_ORIGINAL_X0);
static_assert(offsetof(UserRegisters, number) == USER_REGISTERS_NUMBER);
static_assert(sizeof(UserRegisters) == USER_REGISTERS_SIZE);

inline UserEvent enter_user(UserRegisters& registers) {
  // SAFETY: the assembly comes back here with every register but the frame and stack pointer changed. Saying
  // so is cheaper than saving ten registers on each system call.
  register std::uint64_t event asm("x0") = reinterpret_cast<std::uint64_t>(&registers);
  asm volatile("bl arch_enter_user"
               : "+r"(event)
               :
               : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                 "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28",
                 "x30", "memory", "cc");
  return static_cast<UserEvent>(event);
}

}  // namespace arch
