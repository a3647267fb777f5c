// ptrace(2): what x86-64 has of its own: steps, watchpoints, struct user, emulated calls.
#include "tracing/tracee.h"

namespace {
using namespace conformance;

TEST(PtraceX86, SingleStepRunsOneInstruction) {
  Tracee tracee([] {
    raise(SIGUSR1);
    _exit(0);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  unsigned long before = program_counter(registers_of(tracee.pid()));
  for (int i = 0; i < 20; ++i) {
    EXPECT_STOP(tracee.next(PTRACE_SINGLESTEP), SIGTRAP);
    const Registers registers = registers_of(tracee.pid());
    EXPECT_NE(program_counter(registers), before);
    EXPECT_EQ(registers.eflags & 0x100, 0u);
    before = program_counter(registers);
  }
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, TRAP_TRACE);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceX86, StepIntoAHandler) {
  static void (*const handler)(int) = [](int) { _exit(9); };
  Tracee tracee([] {
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  EXPECT_STOP(tracee.next(PTRACE_SINGLESTEP, SIGUSR1), SIGTRAP);
  EXPECT_EQ(program_counter(registers_of(tracee.pid())), (unsigned long)handler);
  EXPECT_EXITED(tracee.next(), 9);
  tracee.gone();
}

TEST(PtraceX86, UserAreaAndOldRequests) {
  Tracee tracee([] { pause(); });
  const Registers registers = registers_of(tracee.pid());
  user_regs_struct old{};
  EXPECT_OK(tracee.call(PTRACE_GETREGS, 0, (unsigned long)&old));
  EXPECT_EQ(memcmp(&old, &registers, sizeof old), 0);
  EXPECT_OK(tracee.call(PTRACE_SETREGS, 0, (unsigned long)&old));
  long word = 0;
  EXPECT_OK(tracee.call(PTRACE_PEEKUSER, offsetof(user, regs.rip), (unsigned long)&word));
  EXPECT_EQ((unsigned long)word, old.rip);
  EXPECT_OK(tracee.call(PTRACE_POKEUSER, offsetof(user, regs.r12), 0x1234));
  EXPECT_EQ(registers_of(tracee.pid()).r12, 0x1234u);
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKUSER, 3, (unsigned long)&word), EIO);
  EXPECT_ERRNO(tracee.call(PTRACE_PEEKUSER, 4096, (unsigned long)&word), EIO);
  EXPECT_ERRNO(tracee.call(PTRACE_POKEUSER, offsetof(user, regs.cs), 8), EIO);
  user_fpregs_struct floating{};
  EXPECT_OK(tracee.call(PTRACE_GETFPREGS, 0, (unsigned long)&floating));
  EXPECT_EQ(floating.mxcsr & 0x1f80, 0x1f80u);
  EXPECT_OK(tracee.call(PTRACE_SETFPREGS, 0, (unsigned long)&floating));
  char memory[16384];
  iovec vector{memory, sizeof memory};
  EXPECT_OK(tracee.call(PTRACE_GETREGSET, 0x202, (unsigned long)&vector));
  EXPECT_GE(vector.iov_len, 576u);
  EXPECT_OK(tracee.call(PTRACE_SETREGSET, 0x202, (unsigned long)&vector));
}

TEST(PtraceX86, WatchpointTraps) {
  static volatile long watched = 0;
  Tracee tracee([] {
    watched = 1;
    _exit(0);
  });
  EXPECT_OK(tracee.call(PTRACE_POKEUSER, offsetof(user, u_debugreg[0]), (unsigned long)&watched));
  // Local, on writes of eight bytes.
  EXPECT_OK(tracee.call(PTRACE_POKEUSER, offsetof(user, u_debugreg[7]), 1 | 0x9 << 16));
  EXPECT_STOP(tracee.next(), SIGTRAP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, TRAP_HWBKPT);
  long word = 0;
  EXPECT_OK(tracee.call(PTRACE_PEEKUSER, offsetof(user, u_debugreg[6]), (unsigned long)&word));
  EXPECT_EQ(word & 15, 1);
  EXPECT_OK(tracee.call(PTRACE_PEEKDATA, (unsigned long)&watched, (unsigned long)&word));
  EXPECT_EQ(word, 1);
  EXPECT_OK(tracee.call(PTRACE_POKEUSER, offsetof(user, u_debugreg[7]), 0));
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceX86, BreakpointInstruction) {
  Tracee tracee([] {
    asm volatile("int3");
    _exit(0);
  });
  EXPECT_STOP(tracee.next(), SIGTRAP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, SI_KERNEL);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceX86, CallCanBeSkipped) {
  Tracee tracee([] { _exit(sys(SYS_getpid) == -1 && errno == ENOSYS ? 0 : 1); }, PTRACE_O_TRACESYSGOOD);
  ASSERT_TRUE(run_to_entry(tracee, SYS_getpid));
  Registers registers = registers_of(tracee.pid());
  EXPECT_EQ((long)registers.rax, -ENOSYS);
  registers.orig_rax = -1;
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceX86, EmulatedCallsAreNotMade) {
  Tracee tracee([] { _exit(sys(SYS_getppid) == 1717 ? 0 : 1); }, PTRACE_O_TRACESYSGOOD);
  int status = 0;
  while ((status = tracee.next(PTRACE_SYSEMU)) >> 8 == call_stop) {
    Registers registers = registers_of(tracee.pid());
    if (registers.orig_rax == SYS_getppid) break;
    // What the library does on the way may go wrong.
  }
  EXPECT_STOP(status, call_stop);
  Registers registers = registers_of(tracee.pid());
  registers.rax = 1717;
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceX86, FirstArgumentCanBeChanged) {
  Tracee tracee([] { sys(SYS_exit_group, 1); }, PTRACE_O_TRACESYSGOOD);
  ASSERT_TRUE(run_to_entry(tracee, SYS_exit_group));
  Registers registers = registers_of(tracee.pid());
  registers.rdi = 77;
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 77);
  tracee.gone();
}

}  // namespace
