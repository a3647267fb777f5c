// x86-64: the registers of user code, and the call that runs it.
//
// The processor itself writes the end of UserRegisters: while a thread is in user mode, the stack pointer for
// traps (TSS.RSP0) is the address just past it. That is why it is aligned to 16 and why the order of the
// fields cannot change. A thread has one UserRegisters for all its life: every switch to it sets TSS.RSP0.
// `cs` and `ss` never change, because there is no other selector that a program could load; the entry of
// system calls leaves them alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/user.h>
#include <arch_impl/asm_offsets.h>

namespace arch {

struct alignas(16) UserRegisters {
  // How user mode was left, and so may be entered again: by SYSRET only if nothing that it cannot restore was
  // changed.
  enum class ReturnPath : std::uint64_t { full = 0, system_call = 1 };

  ReturnPath path = ReturnPath::full;
  std::uint64_t r15 = 0, r14 = 0, r13 = 0, r12 = 0, rbp = 0, rbx = 0;
  std::uint64_t r11 = 0, r10 = 0, r9 = 0, r8 = 0, rax = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0;
  std::uint64_t original_rax = ~std::uint64_t{0};
  std::uint64_t rip = 0;
  std::uint64_t cs = SELECTOR_USER_CODE;
  std::uint64_t flags = 0x202;
  std::uint64_t rsp = 0;
  std::uint64_t ss = SELECTOR_USER_DATA;

  // The flags that a program (its debugger, its signal handler) may choose; the others keep what the kernel
  // needs.
  static constexpr std::uint64_t user_flags = 0x254dd5;  // CF PF AF ZF SF TF DF OF NT RF AC ID

  static UserRegisters for_program_start(std::uintptr_t program_counter, std::uintptr_t stack_pointer) {
    UserRegisters registers;
    registers.rip = program_counter;
    registers.rsp = stack_pointer;
    return registers;
  }

  std::uintptr_t program_counter() const { return rip; }
  std::uintptr_t stack_pointer() const { return rsp; }
  void set_program_counter(std::uintptr_t value) {
    rip = value;
    path = ReturnPath::full;
  }
  void set_stack_pointer(std::uintptr_t value) {
    rsp = value;
    path = ReturnPath::full;
  }

  std::uint64_t argument(unsigned i) const {
    switch (i) {
      case 0:
        return rdi;
      case 1:
        return rsi;
      case 2:
        return rdx;
      case 3:
        return r10;
      case 4:
        return r8;
      default:
        return r9;
    }
  }
  void set_argument(unsigned i, std::uint64_t value) {
    switch (i) {
      case 0:
        rdi = value;
        break;
      case 1:
        rsi = value;
        break;
      case 2:
        rdx = value;
        break;
      case 3:
        r10 = value;
        break;
      case 4:
        r8 = value;
        break;
      default:
        r9 = value;
        break;
    }
  }
  long system_call_number() const { return static_cast<long>(original_rax); }
  void set_system_call_number(long number) { original_rax = static_cast<std::uint64_t>(number); }
  std::uint64_t result() const { return rax; }
  void set_result(std::uint64_t value) { rax = value; }
  void restart_system_call() {
    rip -= 2;  // the length of SYSCALL
    rax = original_rax;
    path = ReturnPath::full;
  }
  void set_flags(std::uint64_t value) {
    flags = (value & user_flags) | (flags & ~user_flags);
    path = ReturnPath::full;
  }
  void set_single_step(bool on) {
    flags = on ? flags | 0x100 : flags & ~std::uint64_t{0x100};
    path = ReturnPath::full;
  }
};

static_assert(offsetof(UserRegisters, path) == USER_REGISTERS_PATH);
static_assert(offsetof(UserRegisters, r15) == USER_REGISTERS_R15);
static_assert(offsetof(UserRegisters, original_rax) == USER_REGISTERS_ORIGINAL_RAX);
static_assert(offsetof(UserRegisters, rip) == USER_REGISTERS_RIP);
static_assert(offsetof(UserRegisters, rsp) == USER_REGISTERS_RSP);
static_assert(sizeof(UserRegisters) == USER_REGISTERS_SIZE);

inline UserEvent enter_user(UserRegisters& registers) {
  UserEvent event;
  UserRegisters* pointer = &registers;
  // SAFETY: the assembly comes back here with every register but the frame and stack pointer changed. Saying
  // so is cheaper than saving six registers on each system call.
  asm volatile("callq arch_enter_user"
               : "=c"(event), "+D"(pointer)
               :
               : "rax", "rbx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
                 "cc");
  return event;
}

}  // namespace arch
