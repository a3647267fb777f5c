// What only AArch64 has: exceptions as signals, registers across system calls and signals.
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

TEST(Aarch64Exceptions, UndefinedInstructionIsSIGILL) {
  const Fault fault = provoke([] { asm volatile(".inst 0"); });
  EXPECT_EQ(fault.signal, SIGILL);
  EXPECT_EQ(fault.code, ILL_ILLOPC);
  EXPECT_NE(fault.address, nullptr);
}

TEST(Aarch64Exceptions, PrivilegedInstructionsAreSIGILL) {
  for (const int which : {0, 1, 2}) {
    const Fault fault = provoke([which] {
      if (which == 0) asm volatile("mrs x9, sctlr_el1" ::: "x9");
      if (which == 1) asm volatile("eret");
      if (which == 2) asm volatile("hvc #0");
    });
    EXPECT_EQ(fault.signal, SIGILL) << which;
    EXPECT_EQ(fault.code, ILL_ILLOPC) << which;
  }
}

// HWCAP_CPUID: the kernel reads these registers in the program's place.
TEST(Aarch64Identification, RegistersCanBeRead) {
  ASSERT_TRUE(getauxval(AT_HWCAP) >> 11 & 1);
  uint64_t main, multiprocessor, features, instructions, debug, unknown;
  asm volatile("mrs %0, midr_el1" : "=r"(main));
  asm volatile("mrs %0, mpidr_el1" : "=r"(multiprocessor));
  asm volatile("mrs %0, id_aa64pfr0_el1" : "=r"(features));
  asm volatile("mrs %0, id_aa64isar0_el1" : "=r"(instructions));
  asm volatile("mrs %0, id_aa64dfr0_el1" : "=r"(debug));
  asm volatile("mrs %0, S3_0_C0_C7_7" : "=r"(unknown));
  EXPECT_EQ(main >> 16 & 15, 15u) << "features are in the registers";
  EXPECT_EQ(multiprocessor, uint64_t{1} << 31);
  EXPECT_EQ(features & 0xff00, 0u) << "EL2 and EL3";
  EXPECT_EQ(features & 0xff, 0x11u);
  EXPECT_EQ(instructions >> 20 & 15, getauxval(AT_HWCAP) >> 8 & 1 ? 2u : 0u) << "atomics";
  EXPECT_EQ(debug, 6u);
  EXPECT_EQ(unknown, 0u);
  asm volatile("mrs xzr, id_aa64mmfr0_el1");
}

TEST(Aarch64Identification, OthersOfTheSpaceAreSIGILL) {
  const Fault fault = provoke([] { asm volatile("mrs x9, S3_0_C0_C0_1" ::: "x9"); });
  EXPECT_EQ(fault.signal, SIGILL);
}

TEST(Aarch64Exceptions, BreakpointIsSIGTRAPAtTheInstruction) {
  const Fault fault = provoke([] { asm volatile("brk #0"); });
  EXPECT_EQ(fault.signal, SIGTRAP);
  EXPECT_EQ(fault.code, TRAP_BRKPT);
  EXPECT_NE(fault.address, nullptr);
}

TEST(Aarch64Exceptions, MisalignedProgramCounterIsSIGBUS) {
  const Fault fault = provoke([] { asm volatile("adr x9, 1f + 2\n blr x9\n 1: nop" ::: "x9", "x30"); });
  EXPECT_EQ(fault.signal, SIGBUS);
  EXPECT_EQ(fault.code, BUS_ADRALN);
}

TEST(Aarch64Memory, WrittenCodeRunsAfterTheCachesAreCleaned) {
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE | PROT_EXEC);
  auto* code = reinterpret_cast<uint32_t*>(memory.data());
  for (const uint32_t number : {42u, 43u, 44u}) {
    code[0] = 0x52800000 | number << 5;  // mov w0, number
    code[1] = 0xd65f03c0;                // ret
    __builtin___clear_cache(memory.data(), memory.data() + 8);
    EXPECT_EQ(reinterpret_cast<int (*)()>(memory.data())(), static_cast<int>(number));
  }
}

TEST(Aarch64Registers, SystemCallsChangeTheResultAlone) {
  const uint64_t before[6] = {1, 2, 3, 4, 5, 6};
  uint64_t after[6] = {};
  asm volatile(
      "ldp x1, x7, [%0]\n ldp x9, x17, [%0, #16]\n ldp x18, x28, [%0, #32]\n"
      "mov x8, #172\n svc #0\n"
      "stp x1, x7, [%1]\n stp x9, x17, [%1, #16]\n stp x18, x28, [%1, #32]"
      :
      : "r"(before), "r"(after)
      : "x0", "x1", "x7", "x8", "x9", "x17", "x18", "x28", "memory");
  for (int i = 0; i < 6; i++) EXPECT_EQ(before[i], after[i]) << i;
}

TEST(Aarch64Registers, SignalFrameShowsAndChangesRegisters) {
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    if (machine.regs[19] == 0x1234) machine.regs[19] = 0x5678;
    machine.pc += 4;  // past the instruction
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  uint64_t value;
  asm volatile("mov x19, #0x1234\n .inst 0\n mov %0, x19" : "=r"(value)::"x19");
  EXPECT_EQ(value, 0x5678u);
}

// The floating-point record of the frame (asm/sigcontext.h).
struct FloatingPointRecord {
  uint32_t magic, size, status, control;
  unsigned __int128 registers[32];
};
constexpr uint32_t floating_point_magic = 0x46508001;

TEST(Aarch64Registers, SignalFrameShowsAndChangesFloatingPoint) {
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    auto* record = reinterpret_cast<FloatingPointRecord*>(machine.__reserved);
    if (record->magic == floating_point_magic && static_cast<uint64_t>(record->registers[20]) == 0x1234)
      record->registers[20] = 0x5678;
    asm volatile("fmov d9, xzr\n fmov d21, xzr" ::: "d9", "d21");
    machine.pc += 4;
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  uint64_t changed, kept, callee;
  asm volatile(
      "mov x9, #0x1234\n fmov d20, x9\n fmov d21, x9\n fmov d9, x9\n"
      ".inst 0\n"
      "fmov %0, d20\n fmov %1, d21\n fmov %2, d9"
      : "=r"(changed), "=r"(kept), "=r"(callee)::"x9", "d9", "d20", "d21");
  EXPECT_EQ(changed, 0x5678u);
  EXPECT_EQ(kept, 0x1234u);
  EXPECT_EQ(callee, 0x1234u);
}

TEST(Aarch64Registers, ThreadPointerBelongsToTheProgram) {
  uint64_t before, after;
  asm volatile("mrs %0, tpidr_el0" : "=r"(before));
  const timespec moment = {0, 1000000};
  nanosleep(&moment, nullptr);
  asm volatile("mrs %0, tpidr_el0" : "=r"(after));
  EXPECT_EQ(before, after);
  EXPECT_NE(before, 0u);
}

}  // namespace
