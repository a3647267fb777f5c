// What only x86-64 has: exceptions as signals, registers across system calls and signals, AVX state.
#include <asm/prctl.h>
#include <cpuid.h>
#include <sched.h>
#include <signal.h>
#include <ucontext.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

TEST(X86Exceptions, DivisionByZeroIsSIGFPE) {
  const Fault fault = provoke([] {
    asm volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
  });
  EXPECT_EQ(fault.signal, SIGFPE);
  EXPECT_EQ(fault.code, FPE_INTDIV);
}

TEST(X86Exceptions, UndefinedInstructionIsSIGILL) {
  const Fault fault = provoke([] { asm volatile("ud2"); });
  EXPECT_EQ(fault.signal, SIGILL);
  EXPECT_EQ(fault.code, ILL_ILLOPN);
}

TEST(X86Exceptions, PrivilegedInstructionsAreSIGSEGV) {
  for (const int which : {0, 1, 2, 3}) {
    const Fault fault = provoke([which] {
      if (which == 0) asm volatile("hlt");
      if (which == 1) asm volatile("cli");
      if (which == 2) asm volatile("mov %%cr0, %%rax" ::: "rax");
      if (which == 3) asm volatile("inb $0x60, %%al" ::: "al");
    });
    EXPECT_EQ(fault.signal, SIGSEGV) << which;
    EXPECT_EQ(fault.code, SI_KERNEL) << which;
  }
}

TEST(X86Exceptions, BreakpointIsSIGTRAP) {
  const Fault fault = provoke([] { asm volatile("int3"); });
  EXPECT_EQ(fault.signal, SIGTRAP);
  EXPECT_EQ(fault.code, SI_KERNEL);
}

TEST(X86Exceptions, SingleStepIsSIGTRAP) {
  const Fault fault = provoke([] {
    asm volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; nop; add $128, %%rsp" ::
                     : "memory", "cc");
  });
  EXPECT_EQ(fault.signal, SIGTRAP);
  EXPECT_EQ(fault.code, TRAP_TRACE);
}

TEST(X86Exceptions, NonCanonicalAddressIsSIGSEGVWithoutAddress) {
  const Fault fault = provoke([] { peek(reinterpret_cast<void*>(0x8000000000000000ul)); });
  EXPECT_EQ(fault.signal, SIGSEGV);
  EXPECT_EQ(fault.code, SI_KERNEL);
  EXPECT_EQ(fault.address, nullptr);
}

TEST(X86Memory, WrittenCodeRunsOnceExecutable) {
  const Mapping memory(page_size());
  const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov $42, %eax; ret
  memcpy(memory.data(), code, sizeof code);
  ASSERT_OK(mprotect(memory.data(), page_size(), PROT_READ | PROT_EXEC));
  EXPECT_EQ(reinterpret_cast<int (*)()>(memory.data())(), 42);
}

TEST(X86Registers, SystemCallsChangeOnlyThree) {
  // rax, rcx and r11 are the kernel's; everything else has to come back.
  uint64_t before[8] = {1, 2, 3, 4, 5, 6, 7, 8}, after[8] = {};
  asm volatile(
      "mov 0(%[in]), %%rbx\n mov 8(%[in]), %%rdx\n mov 16(%[in]), %%r8\n mov 24(%[in]), %%r9\n"
      "mov 32(%[in]), %%r10\n mov 40(%[in]), %%r12\n mov 48(%[in]), %%r13\n mov 56(%[in]), %%r14\n"
      "mov $39, %%eax\n syscall\n"
      "mov %%rbx, 0(%[out])\n mov %%rdx, 8(%[out])\n mov %%r8, 16(%[out])\n mov %%r9, 24(%[out])\n"
      "mov %%r10, 32(%[out])\n mov %%r12, 40(%[out])\n mov %%r13, 48(%[out])\n mov %%r14, 56(%[out])\n"
      :
      : [in] "S"(before), [out] "D"(after)
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory");
  for (int i = 0; i < 8; i++) EXPECT_EQ(before[i], after[i]) << i;
}

TEST(X86Registers, FlagsSurviveSystemCalls) {
  uint64_t flags;
  asm volatile("std; mov $39, %%eax; syscall; pushfq; cld; pop %0"
               : "=r"(flags)::"rax", "rcx", "r11", "memory");
  EXPECT_TRUE(flags & 0x400) << "the direction flag";
}

TEST(X86Registers, SignalFrameShowsAndChangesRegisters) {
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (registers[REG_RBX] == 0x1234) registers[REG_RBX] = 0x5678;
    registers[REG_RIP] += 2;  // Past ud2.
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  uint64_t value = 0x1234;
  asm volatile("ud2" : "+b"(value));
  EXPECT_EQ(value, 0x5678u);
}

TEST(X86Registers, RedZoneSurvivesSignals) {
  signal(SIGUSR1, [](int) {
    volatile char trash[512];
    for (volatile char& byte : trash) byte = 0x77;
  });
  uint64_t value;
  asm volatile(
      "movq $0x1122334455667788, %%rdx\n movq %%rdx, -64(%%rsp)\n"
      "mov $39, %%eax\n syscall\n mov %%eax, %%edi\n mov $10, %%esi\n mov $62, %%eax\n syscall\n"
      "movq -64(%%rsp), %0\n"
      : "=r"(value)
      :
      : "rax", "rcx", "r11", "rdi", "rsi", "rdx", "memory");
  EXPECT_EQ(value, 0x1122334455667788u);
}

bool cpu_has_avx() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AVX) && (c & bit_OSXSAVE);
}

__attribute__((target("avx"))) void avx_across_switches(bool* failed) {
  alignas(32) unsigned char in[32], out[32];
  for (int i = 0; i < 32; i++) in[i] = static_cast<unsigned char>(getpid() + i);
  for (int round = 0; round < 100; round++) {
    asm volatile("vmovdqa %[in], %%ymm9\n mov $24, %%eax\n syscall\n vmovdqa %%ymm9, %[out]\n"
                 : [out] "=m"(out)
                 : [in] "m"(in)
                 : "rax", "rcx", "r11", "xmm9", "memory");
    if (memcmp(in, out, 32) != 0) *failed = true;
  }
}

void sse_across_switches(bool* failed) {
  alignas(16) unsigned char in[16], out[16];
  for (int i = 0; i < 16; i++) in[i] = static_cast<unsigned char>(getpid() + i);
  for (int round = 0; round < 100; round++) {
    asm volatile("movdqa %[in], %%xmm9\n mov $24, %%eax\n syscall\n movdqa %%xmm9, %[out]\n"
                 : [out] "=m"(out)
                 : [in] "m"(in)
                 : "rax", "rcx", "r11", "xmm9", "memory");
    if (memcmp(in, out, 16) != 0) *failed = true;
  }
}

// The widest registers that the CPU has.
TEST(X86Vectors, StateSurvivesYielding) {
  pid_t children[4];
  for (pid_t& child : children) {
    child = fork_child([] {
      bool failed = false;
      if (cpu_has_avx()) {
        avx_across_switches(&failed);
      } else {
        sse_across_switches(&failed);
      }
      EXPECT_FALSE(failed);
    });
  }
  for (const pid_t child : children) EXPECT_EXITED(wait_for(child), 0);
}

TEST(X86Vectors, SseStateSurvivesSignals) {
  signal(SIGUSR1, [](int) { asm volatile("pxor %%xmm7, %%xmm7" ::: "xmm7"); });
  uint64_t in = 0xdeadbeefcafef00d, out = 0;
  asm volatile(
      "movq %[in], %%xmm7\n"
      "mov $39, %%eax\n syscall\n mov %%eax, %%edi\n mov $10, %%esi\n mov $62, %%eax\n syscall\n"
      "movq %%xmm7, %[out]\n"
      : [out] "=m"(out)
      : [in] "m"(in)
      : "rax", "rcx", "r11", "rdi", "rsi", "xmm7", "memory");
  EXPECT_EQ(in, out);
}

TEST(X86Segments, FsAndGsBases) {
  unsigned long base = 0;
  ASSERT_OK(sys(SYS_arch_prctl, ARCH_GET_FS, &base));
  EXPECT_NE(base, 0u);
  EXPECT_CHILD_OK([] {
    static uint64_t words[2] = {0x1111, 0x2222};
    ASSERT_OK(sys(SYS_arch_prctl, ARCH_SET_GS, &words[1]));
    uint64_t value;
    asm volatile("mov %%gs:0, %0" : "=r"(value));
    EXPECT_EQ(value, 0x2222u);
    sched_yield();
    asm volatile("mov %%gs:0, %0" : "=r"(value));
    EXPECT_EQ(value, 0x2222u) << "kept across switches";
    unsigned long now = 0;
    ASSERT_OK(sys(SYS_arch_prctl, ARCH_GET_GS, &now));
    EXPECT_EQ(now, (unsigned long)&words[1]);
    EXPECT_CHILD_OK([] {
      uint64_t inherited;
      asm volatile("mov %%gs:0, %0" : "=r"(inherited));
      EXPECT_EQ(inherited, 0x2222u);
    });
  });
  EXPECT_ERRNO(sys(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000ul), EPERM);
  EXPECT_ERRNO(sys(SYS_arch_prctl, 0x9999, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_arch_prctl, ARCH_GET_FS, low_address()), EFAULT);
}

TEST(X86Syscall, NonCanonicalStackPointerIsHarmless) {
  // A stack pointer that points nowhere must not matter to the kernel until it is used. The CPU raises #SS,
  // which is SIGBUS; QEMU's emulation raises #GP.
  const int status = run_child([] {
    asm volatile("mov $0x8000000000000000, %%rsp; mov $39, %%eax; syscall; push %%rax" ::
                     : "rax", "rcx", "r11", "memory");
  });
  EXPECT_TRUE(WIFSIGNALED(status) && (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV)) << status;
}

TEST(X86Signal, ForgedReturnFrameCannotGainPrivilege) {
  // rt_sigreturn with garbage on the stack ends in SIGSEGV.
  EXPECT_KILLED(run_child([] {
                  asm volatile("mov $15, %%eax; syscall" ::: "rax", "rcx", "r11", "memory");
                }),
                SIGSEGV);
}

TEST(X86Signal, FrameWithKernelCodeSegmentIsRefused) {
  EXPECT_KILLED(run_child([] {
                  struct sigaction action = {};
                  action.sa_sigaction = [](int, siginfo_t*, void* context) {
                    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] =
                        (long)0xffffffff80000000ul;
                  };
                  action.sa_flags = SA_SIGINFO;
                  sigaction(SIGUSR1, &action, nullptr);
                  raise(SIGUSR1);
                }),
                SIGSEGV);
}

}  // namespace
