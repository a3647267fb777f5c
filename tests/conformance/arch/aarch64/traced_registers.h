// The general registers of a tracee, as PTRACE_GETREGSET with NT_PRSTATUS gives them.
#pragma once

#include <sys/user.h>

namespace conformance {

using Registers = user_regs_struct;
inline unsigned long program_counter(const Registers& r) { return r.pc; }
inline unsigned long stack_pointer(const Registers& r) { return r.sp; }
inline long call_result(const Registers& r) { return (long)r.regs[0]; }
inline void set_call_result(Registers& r, long value) { r.regs[0] = (unsigned long)value; }
inline void set_second_argument(Registers& r, unsigned long value) { r.regs[1] = value; }

}  // namespace conformance
