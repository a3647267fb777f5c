// The host: registers of a program that is only ever looked at.
#pragma once

#include <arch/user.h>

#include <cstddef>

namespace arch {

struct UserRegisters {
  std::uintptr_t pc = 0, sp = 0;
  std::uint64_t arguments[6] = {};
  std::uint64_t value = 0;
  long number = -1;

  std::uintptr_t program_counter() const { return pc; }
  std::uintptr_t stack_pointer() const { return sp; }
  void set_program_counter(std::uintptr_t v) { pc = v; }
  void set_stack_pointer(std::uintptr_t v) { sp = v; }
  std::uint64_t argument(unsigned i) const { return arguments[i]; }
  void set_argument(unsigned i, std::uint64_t v) { arguments[i] = v; }
  long system_call_number() const { return number; }
  void set_system_call_number(long v) { number = v; }
  std::uint64_t result() const { return value; }
  void set_result(std::uint64_t v) { value = v; }
  void restart_system_call() {}
  static UserRegisters for_program_start(std::uintptr_t pc, std::uintptr_t sp) {
    UserRegisters registers;
    registers.pc = pc;
    registers.sp = sp;
    return registers;
  }
};

inline UserEvent enter_user(UserRegisters&) { return UserEvent::fault; }

}  // namespace arch
