// What only RISC-V has: exceptions as signals, registers across system calls and signals, the calls of its
// own.
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

constexpr long call_hwprobe = 258, call_flush_icache = 259;

TEST(RiscvExceptions, UnknownInstructionIsSIGILL) {
  const Fault fault = provoke([] { asm volatile("unimp"); });
  EXPECT_EQ(fault.signal, SIGILL);
  EXPECT_EQ(fault.code, ILL_ILLOPC);
}

TEST(RiscvExceptions, PrivilegedInstructionsAreSIGILL) {
  for (const int which : {0, 1, 2}) {
    const Fault fault = provoke([which] {
      if (which == 0) asm volatile("csrr t0, sstatus" ::: "t0");
      if (which == 1) asm volatile("sret");
      if (which == 2) asm volatile("sfence.vma");
    });
    EXPECT_EQ(fault.signal, SIGILL) << which;
    EXPECT_EQ(fault.code, ILL_ILLOPC) << which;
  }
}

TEST(RiscvExceptions, BreakpointIsSIGTRAPAtTheInstruction) {
  const Fault fault = provoke([] { asm volatile("ebreak"); });
  EXPECT_EQ(fault.signal, SIGTRAP);
  EXPECT_EQ(fault.code, TRAP_BRKPT);
  EXPECT_NE(fault.address, nullptr);
}

TEST(RiscvMemory, WrittenCodeRunsAfterTheInstructionCacheIsFlushed) {
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE | PROT_EXEC);
  auto* code = reinterpret_cast<uint32_t*>(memory.data());
  for (const uint32_t number : {42u, 43u, 44u}) {
    code[0] = number << 20 | 0x513;  // addi a0, zero, number
    code[1] = 0x8067;                // ret
    ASSERT_OK(syscall(call_flush_icache, code, code + 2, 0));
    EXPECT_EQ(reinterpret_cast<int (*)()>(memory.data())(), static_cast<int>(number));
  }
  EXPECT_ERRNO(syscall(call_flush_icache, code, code + 2, 2), EINVAL);
}

struct Pair {
  int64_t key;
  uint64_t value;
};

TEST(RiscvProbe, TellsWhatEveryProgramMayUse) {
  Pair pairs[] = {{3, 0}, {4, 0}, {999, 77}};
  ASSERT_OK(syscall(call_hwprobe, pairs, 3, 0, nullptr, 0));
  EXPECT_EQ(pairs[0].value, 1u) << "I, M and A";
  EXPECT_EQ(pairs[1].value & 3, 3u) << "F, D and C";
  EXPECT_EQ(pairs[2].key, -1) << "unknown";
  EXPECT_EQ(pairs[2].value, 0u);
}

TEST(RiscvProbe, RefusesUnknownFlagsAndEmptySets) {
  Pair pair = {3, 0};
  EXPECT_ERRNO(syscall(call_hwprobe, &pair, 1, 0, nullptr, 0x80), EINVAL);
  unsigned long none = 0;
  EXPECT_ERRNO(syscall(call_hwprobe, &pair, 1, sizeof(none), &none, 0), EINVAL);
  EXPECT_ERRNO(syscall(call_hwprobe, reinterpret_cast<Pair*>(16), 1, 0, nullptr, 0), EFAULT);
}

TEST(RiscvRegisters, SystemCallsChangeTheResultAlone) {
  uint64_t before[6] = {1, 2, 3, 4, 5, 6}, after[6] = {};
  register uint64_t* in asm("s2") = before;
  register uint64_t* out asm("s3") = after;
  asm volatile(
      "ld t0, 0(s2)\n ld t1, 8(s2)\n ld t6, 16(s2)\n ld a1, 24(s2)\n ld a5, 32(s2)\n ld s11, 40(s2)\n"
      "li a7, 172\n ecall\n"
      "sd t0, 0(s3)\n sd t1, 8(s3)\n sd t6, 16(s3)\n sd a1, 24(s3)\n sd a5, 32(s3)\n sd s11, 40(s3)\n"
      :
      : "r"(in), "r"(out)
      : "a0", "a1", "a5", "a7", "t0", "t1", "t6", "s11", "memory");
  for (int i = 0; i < 6; i++) EXPECT_EQ(before[i], after[i]) << i;
}

TEST(RiscvRegisters, SignalFrameShowsAndChangesRegisters) {
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.__gregs;
    if (registers[18] == 0x1234) registers[18] = 0x5678;  // s2
    registers[0] += 4;                                    // past the instruction
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  register uint64_t value asm("s2") = 0x1234;
  asm volatile(".option push\n .option norvc\n csrr zero, sstatus\n .option pop" : "+r"(value));
  const uint64_t found = value;
  EXPECT_EQ(found, 0x5678u);
}

TEST(RiscvRegisters, FloatingPointSurvivesSignals) {
  signal(SIGUSR1, [](int) {
    asm volatile("fmv.d.x fs0, zero\n fmv.d.x ft0, zero\n fscsr zero" ::: "fs0", "ft0");
  });
  const double in = 0.1, callee = 0.2;
  double out, kept;
  uint64_t mode;
  asm volatile(
      "fmv.d ft0, %[in]\n fmv.d fs0, %[callee]\n li t0, 0x40\n fscsr t0\n"
      "li a7, 172\n ecall\n li a1, 10\n li a7, 129\n ecall\n"
      "fmv.d %[out], ft0\n fmv.d %[kept], fs0\n frcsr %[mode]\n fscsr zero"
      : [out] "=&f"(out), [kept] "=&f"(kept), [mode] "=&r"(mode)
      : [in] "f"(in), [callee] "f"(callee)
      : "a0", "a1", "a7", "t0", "ft0", "fs0", "memory");
  EXPECT_EQ(out, in);
  EXPECT_EQ(kept, callee);
  EXPECT_EQ(mode, 0x40u) << "the rounding mode";
}

}  // namespace
