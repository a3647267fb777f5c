// The registers that UserRegisters, struct user_regs_struct and struct sigcontext hold by the same names.
// What a program may not choose freely (flags, selectors) is its users' business.
#pragma once

#include <arch_impl/user.h>

namespace arch {

template <typename To, typename From>
void copy_general_registers(To& to, const From& from) {
  to.r8 = from.r8;
  to.r9 = from.r9;
  to.r10 = from.r10;
  to.r11 = from.r11;
  to.r12 = from.r12;
  to.r13 = from.r13;
  to.r14 = from.r14;
  to.r15 = from.r15;
  to.rdi = from.rdi;
  to.rsi = from.rsi;
  to.rbp = from.rbp;
  to.rbx = from.rbx;
  to.rdx = from.rdx;
  to.rax = from.rax;
  to.rcx = from.rcx;
  to.rsp = from.rsp;
  to.rip = from.rip;
}

}  // namespace arch
