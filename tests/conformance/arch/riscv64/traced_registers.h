// The general registers of a tracee, as PTRACE_GETREGSET with NT_PRSTATUS gives them.
#pragma once

namespace conformance {

struct Registers {
  unsigned long pc, ra, sp, gp, tp, t[3], s[2], a[8], more_s[10], more_t[4];
};
inline unsigned long program_counter(const Registers& r) { return r.pc; }
inline unsigned long stack_pointer(const Registers& r) { return r.sp; }
inline long call_result(const Registers& r) { return (long)r.a[0]; }
inline void set_call_result(Registers& r, long value) { r.a[0] = (unsigned long)value; }
// The first is kept where no register set shows it: what is written to a0 becomes the result.
inline void set_second_argument(Registers& r, unsigned long value) { r.a[1] = value; }

}  // namespace conformance
