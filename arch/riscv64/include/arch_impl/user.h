// RISC-V: the registers of user code, and the call that runs it. The trap entry (cpu/src/entry.S) fills and
// empties UserRegisters; the first 32 words have the form of Linux's user_regs_struct.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/user.h>
#include <arch_impl/asm_offsets.h>

namespace arch {

struct alignas(16) UserRegisters {
  std::uint64_t pc = 0;
  std::uint64_t ra = 0, sp = 0, gp = 0, tp = 0, t0 = 0, t1 = 0, t2 = 0, s0 = 0, s1 = 0;
  std::uint64_t a[8] = {};
  std::uint64_t s2_to_s11[10] = {};
  std::uint64_t t3_to_t6[4] = {};
  std::uint64_t original_a0 = 0;  // the first argument, which the result replaces
  std::int64_t number = -1;       // of the system call that the program made
  std::uint64_t status = 0;       // sstatus, for traps of kernel code
  std::uint64_t reserved = 0;

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

  std::uint64_t argument(unsigned i) const { return i == 0 ? original_a0 : a[i]; }
  void set_argument(unsigned i, std::uint64_t value) {
    a[i] = value;
    if (i == 0) original_a0 = value;
  }
  long system_call_number() const { return number; }
  void set_system_call_number(long value) { number = value; }
  std::uint64_t result() const { return a[0]; }
  void set_result(std::uint64_t value) { a[0] = value; }
  void restart_system_call() {
    pc -= 4;  // the length of ECALL
    a[0] = original_a0;
    a[7] = static_cast<std::uint64_t>(number);
  }
};

static_assert(offsetof(UserRegisters, pc) == USER_REGISTERS_PC);
static_assert(offsetof(UserRegisters, sp) == USER_REGISTERS_SP);
static_assert(offsetof(UserRegisters, tp) == USER_REGISTERS_TP);
static_assert(offsetof(UserRegisters, a) == USER_REGISTERS_A0);
static_assert(offsetof(UserRegisters, t3_to_t6) == 28 * 8);
static_assert(offsetof(UserRegisters, original_a0) == USER_REGISTERS_ORIGINAL_A0);
static_assert(offsetof(UserRegisters, number) == USER_REGISTERS_NUMBER);
static_assert(offsetof(UserRegisters, status) == USER_REGISTERS_STATUS);
static_assert(sizeof(UserRegisters) == USER_REGISTERS_SIZE);

inline UserEvent enter_user(UserRegisters& registers) {
  // SAFETY: the assembly comes back here with every register but the frame, stack and CPU pointers changed.
  // Saying so is cheaper than saving them on each system call.
  register UserRegisters* pointer asm("a0") = &registers;
  asm volatile("call arch_enter_user"
               : "+r"(pointer)
               :
               : "ra", "t0", "t1", "t2", "s1", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4",
                 "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6", "memory");
  // SAFETY: what comes back in the register is a number.
  return static_cast<UserEvent>(reinterpret_cast<std::uintptr_t>(pointer));
}

}  // namespace arch
