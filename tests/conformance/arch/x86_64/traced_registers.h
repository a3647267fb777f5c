// The general registers of a tracee, as PTRACE_GETREGSET with NT_PRSTATUS gives them.
#pragma once

#include <sys/user.h>

namespace conformance {

using Registers = user_regs_struct;
inline unsigned long program_counter(const Registers& r) { return r.rip; }
inline unsigned long stack_pointer(const Registers& r) { return r.rsp; }
inline long call_result(const Registers& r) { return (long)r.rax; }
inline void set_call_result(Registers& r, long value) { r.rax = (unsigned long)value; }
inline void set_second_argument(Registers& r, unsigned long value) { r.rsi = value; }

}  // namespace conformance
