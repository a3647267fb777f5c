// ptrace(2): what AArch64 has of its own: steps, hardware break points and watch points, the keys of
// pointers.
#include <asm/ptrace.h>
#include <elf.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "tracing/tracee.h"

namespace {
using namespace conformance;

TEST(PtraceAarch64, SingleStepRunsOneInstruction) {
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
    before = program_counter(registers);
  }
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, TRAP_TRACE);
  EXPECT_EQ((unsigned long)info.si_addr, before);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceAarch64, EveryInstructionOfALoopIsAStep) {
  Tracee tracee([] {
    asm volatile("brk #0\n mov x9, #50\n 1: subs x9, x9, #1\n b.ne 1b" ::: "x9", "cc");
    _exit(7);
  });
  EXPECT_STOP(tracee.next(), SIGTRAP);
  Registers registers = registers_of(tracee.pid());
  const unsigned long start = registers.pc += 4;
  set_registers(tracee.pid(), registers);
  for (int step = 1; step <= 101; ++step) {
    EXPECT_STOP(tracee.next(PTRACE_SINGLESTEP), SIGTRAP);
    registers = registers_of(tracee.pid());
    EXPECT_EQ(registers.pc, start + (step == 101 ? 12 : step % 2 ? 4 : 8)) << step;
  }
  EXPECT_EXITED(tracee.next(), 7);
  tracee.gone();
}

TEST(PtraceAarch64, StepIntoAHandler) {
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

// struct user_hwdebug_state
struct DebugState {
  uint32_t information, padding;
  struct {
    uint64_t address;
    uint32_t control, padding;
  } registers[16];
};

DebugState debug_state_of(const Tracee& tracee, unsigned note) {
  DebugState state{};
  iovec vector{&state, sizeof state};
  EXPECT_OK(tracee.call(PTRACE_GETREGSET, note, (unsigned long)&vector));
  return state;
}
long set_first(const Tracee& tracee, unsigned note, const volatile void* address, uint32_t control) {
  DebugState state{};
  state.registers[0].address = (uint64_t)address;
  state.registers[0].control = control;
  iovec vector{&state, offsetof(DebugState, registers) + sizeof state.registers[0]};
  return tracee.call(PTRACE_SETREGSET, note, (unsigned long)&vector);
}
constexpr uint32_t enabled = 1, on_loads = 1 << 3, on_stores = 2 << 3, bytes_1 = 1 << 5, bytes_4 = 0xf << 5,
                   bytes_8 = 0xff << 5;

TEST(PtraceAarch64, WatchpointTrapsBeforeTheAccess) {
  static volatile long watched = 5;
  Tracee tracee([] {
    watched = 1;
    _exit(0);
  });
  EXPECT_GE(debug_state_of(tracee, NT_ARM_HW_WATCH).information & 0xff, 2u);
  ASSERT_OK(set_first(tracee, NT_ARM_HW_WATCH, &watched, enabled | on_stores | bytes_8));
  EXPECT_EQ(debug_state_of(tracee, NT_ARM_HW_WATCH).registers[0].address, (uint64_t)&watched);
  EXPECT_STOP(tracee.next(), SIGTRAP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, TRAP_HWBKPT);
  EXPECT_EQ(info.si_addr, (void*)&watched);
  long word = 0;
  EXPECT_OK(tracee.call(PTRACE_PEEKDATA, (unsigned long)&watched, (unsigned long)&word));
  EXPECT_EQ(word, 5);
  ASSERT_OK(set_first(tracee, NT_ARM_HW_WATCH, &watched, 0));
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

TEST(PtraceAarch64, WatchpointSeesOneByteOfAWord) {
  static volatile char bytes[8] __attribute__((aligned(8))) = {};
  Tracee tracee([] {
    bytes[2] = 1;
    (void)bytes[3];
    bytes[3] = 1;
    _exit(0);
  });
  ASSERT_OK(set_first(tracee, NT_ARM_HW_WATCH, &bytes[3], enabled | on_stores | bytes_1));
  EXPECT_STOP(tracee.next(), SIGTRAP);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_addr, (void*)&bytes[3]);
  ASSERT_OK(set_first(tracee, NT_ARM_HW_WATCH, &bytes[3], 0));
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

__attribute__((noinline)) void place() { asm volatile("nop"); }

TEST(PtraceAarch64, BreakpointTrapsAtItsAddress) {
  Tracee tracee([] {
    place();
    _exit(3);
  });
  ASSERT_OK(set_first(tracee, NT_ARM_HW_BREAK, (void*)place, enabled | bytes_4));
  EXPECT_STOP(tracee.next(), SIGTRAP);
  EXPECT_EQ(program_counter(registers_of(tracee.pid())), (unsigned long)place);
  siginfo_t info{};
  EXPECT_OK(tracee.call(PTRACE_GETSIGINFO, 0, (unsigned long)&info));
  EXPECT_EQ(info.si_code, TRAP_HWBKPT);
  EXPECT_EQ(info.si_addr, (void*)place);
  ASSERT_OK(set_first(tracee, NT_ARM_HW_BREAK, (void*)place, 0));
  EXPECT_STOP(tracee.next(PTRACE_SINGLESTEP), SIGTRAP);
  EXPECT_EXITED(tracee.next(), 3);
  tracee.gone();
}

TEST(PtraceAarch64, ChildrenInheritNoBreakpoints) {
  Tracee tracee([] {
    const pid_t child = fork_child([] { place(); });
    int status = -1;
    waitpid(child, &status, 0);
    _exit(status == 0 ? 4 : 5);
  });
  ASSERT_OK(set_first(tracee, NT_ARM_HW_BREAK, (void*)place, enabled | bytes_4));
  int status;
  while ((status = tracee.next(PTRACE_CONT)) >> 8 == SIGCHLD) {
  }
  // Passed on: the tracee waits for it anyway.
  EXPECT_EXITED(status, 4);
  tracee.gone();
}

TEST(PtraceAarch64, WrongControlWordsAreRefused) {
  static volatile long word = 0;
  Tracee tracee([] { pause(); });
  EXPECT_ERRNO(set_first(tracee, NT_ARM_HW_WATCH, &word, enabled | bytes_8), EINVAL) << "execution";
  EXPECT_ERRNO(set_first(tracee, NT_ARM_HW_BREAK, &word, enabled | on_loads | bytes_4), EINVAL);
  EXPECT_ERRNO(set_first(tracee, NT_ARM_HW_WATCH, &word, enabled | on_stores), EINVAL) << "no bytes";
  EXPECT_ERRNO(set_first(tracee, NT_ARM_HW_WATCH, &word, enabled | on_stores | 5 << 5), EINVAL) << "a gap";
}

TEST(PtraceAarch64, PointerMaskAndEnabledKeys) {
  Tracee tracee([] { pause(); });
  uint64_t masks[2] = {};
  iovec vector{masks, sizeof masks};
  if (!(getauxval(AT_HWCAP) >> 30 & 1)) {
    EXPECT_ERRNO(tracee.call(PTRACE_GETREGSET, NT_ARM_PAC_MASK, (unsigned long)&vector), EINVAL);
    return;
  }
  ASSERT_OK(tracee.call(PTRACE_GETREGSET, NT_ARM_PAC_MASK, (unsigned long)&vector));
  EXPECT_EQ(vector.iov_len, sizeof masks);
  EXPECT_EQ(masks[1], masks[0]);
  EXPECT_EQ(masks[0] >> 55, 0u);
  EXPECT_NE(masks[0], 0u);
  EXPECT_EQ(masks[0] & (uint64_t)&tracee, 0u);
  constexpr unsigned note_enabled_keys = 0x40a;
  uint64_t keys = 0;
  vector = {&keys, sizeof keys};
  ASSERT_OK(tracee.call(PTRACE_GETREGSET, note_enabled_keys, (unsigned long)&vector));
  EXPECT_EQ(keys, 0xfu);
  keys = 0x10;
  EXPECT_ERRNO(tracee.call(PTRACE_SETREGSET, note_enabled_keys, (unsigned long)&vector), EINVAL);
}

TEST(PtraceAarch64, FirstArgumentCanBeChanged) {
  Tracee tracee([] { sys(SYS_exit_group, 1); }, PTRACE_O_TRACESYSGOOD);
  ASSERT_TRUE(run_to_entry(tracee, SYS_exit_group));
  Registers registers = registers_of(tracee.pid());
  registers.regs[0] = 77;
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 77);
  tracee.gone();
}

}  // namespace
