// The vector registers, where the CPU has them. System calls leave them undefined: what keeps them across
// switches and signals is seen by loops that make none.
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#include "process/core_file.h"

namespace {
using namespace conformance;

constexpr size_t largest_register = 1024;
constexpr int turns = 3'000'000;

#define NEEDS_VECTORS() \
  if (!(getauxval(AT_HWCAP) >> ('v' - 'a') & 1)) GTEST_SKIP() << "the CPU has no vector registers"

size_t register_bytes() {
  size_t size;
  asm volatile(".option push\n .option arch, +v\n csrr %0, vlenb\n .option pop" : "=r"(size));
  return size;
}

// Fills v3 and v29 and sets the type for bytes, counts, and stores what is in them then.
void keep_for_a_while(const unsigned char* in, unsigned char* out3, unsigned char* out29, long count) {
  asm volatile(
      ".option push\n .option arch, +v\n"
      "vsetvli t0, zero, e8, m1, ta, ma\n"
      "vle8.v v3, (%[in])\n vmv.v.v v29, v3\n vadd.vi v29, v29, 1\n"
      "1: addi %[count], %[count], -1\n bnez %[count], 1b\n"
      "vse8.v v3, (%[out3])\n vse8.v v29, (%[out29])\n"
      ".option pop"
      : [count] "+r"(count)
      : [in] "r"(in), [out3] "r"(out3), [out29] "r"(out29)
      : "t0", "memory");
}

bool keeps(unsigned char first) {
  unsigned char in[largest_register], out3[largest_register], out29[largest_register];
  const size_t size = register_bytes();
  for (size_t i = 0; i < size; i++) in[i] = static_cast<unsigned char>(first + i);
  keep_for_a_while(in, out3, out29, turns);
  for (size_t i = 0; i < size; i++) {
    if (out3[i] != in[i] || out29[i] != static_cast<unsigned char>(in[i] + 1)) return false;
  }
  return true;
}

void fill_all(unsigned char value) {
  asm volatile(
      ".option push\n .option arch, +v\n"
      "vsetvli t0, zero, e8, m8, ta, ma\n vmv.v.x v0, %0\n vmv.v.x v8, %0\n vmv.v.x v16, %0\n vmv.v.x v24, "
      "%0\n"
      ".option pop" ::"r"(value)
      : "t0");
}

TEST(RiscvVectors, TheProbeSaysSoToo) {
  struct {
    int64_t key;
    uint64_t value;
  } pair = {4, 0};
  constexpr long call_hwprobe = 258;
  ASSERT_OK(syscall(call_hwprobe, &pair, 1, 0, nullptr, 0));
  EXPECT_EQ(pair.value >> 2 & 1, getauxval(AT_HWCAP) >> ('v' - 'a') & 1);
}

TEST(RiscvVectors, SurviveSwitches) {
  NEEDS_VECTORS();
  pid_t children[6];
  unsigned char first = 1;
  for (pid_t& child : children) {
    first = static_cast<unsigned char>(first + 37);
    child = fork_child([first] {
      for (int round = 0; round < 4; round++) EXPECT_TRUE(keeps(static_cast<unsigned char>(first + round)));
    });
  }
  for (const pid_t child : children) EXPECT_EXITED(wait_for(child), 0);
}

volatile int handled;

TEST(RiscvVectors, SurviveSignalHandlersThatUseThem) {
  NEEDS_VECTORS();
  handled = 0;
  signal(SIGALRM, [](int) {
    fill_all(0xee);
    handled = handled + 1;
  });
  const itimerval often = {{0, 2000}, {0, 2000}}, never = {};
  setitimer(ITIMER_REAL, &often, nullptr);
  for (int round = 0; round < 20 || !handled; round++) EXPECT_TRUE(keeps(static_cast<unsigned char>(round)));
  setitimer(ITIMER_REAL, &never, nullptr);
}

// What follows the floating-point registers in the frame (asm/sigcontext.h, asm/ptrace.h).
struct VectorContext {
  uint32_t magic, size;
  uint64_t start, length, type, control, register_bytes;
  unsigned char* registers;
};
VectorContext* vector_context(void* context) {
  constexpr size_t registers_size = 32 * 8, extension = 520;
  auto* machine = reinterpret_cast<unsigned char*>(&static_cast<ucontext_t*>(context)->uc_mcontext);
  return reinterpret_cast<VectorContext*>(machine + registers_size + extension);
}

uint32_t seen_magic, seen_size, seen_end[2];
uint64_t seen_length;
unsigned char seen_byte;

TEST(RiscvVectors, SignalFrameShowsAndChangesThem) {
  NEEDS_VECTORS();
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    VectorContext* vectors = vector_context(context);
    seen_magic = vectors->magic;
    seen_size = vectors->size;
    if (seen_magic == 0x53465457) {
      memcpy(seen_end, reinterpret_cast<unsigned char*>(vectors) + vectors->size, sizeof(seen_end));
      seen_length = vectors->length;
      seen_byte = vectors->registers[5 * register_bytes() + 1];
      vectors->registers[5 * register_bytes() + 1] = 78;
    }
    static_cast<ucontext_t*>(context)->uc_mcontext.__gregs[0] += 4;  // past the instruction
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  seen_end[0] = seen_end[1] = 77;
  unsigned char out[largest_register] = {};
  asm volatile(
      ".option push\n .option arch, +v\n .option norvc\n"
      "li t1, 33\n vsetvli t0, zero, e8, m1, ta, ma\n vmv.v.x v5, t1\n csrr zero, sstatus\n"
      "vse8.v v5, (%0)\n .option pop" ::"r"(out)
      : "t0", "t1", "memory");
  const size_t size = register_bytes();
  EXPECT_EQ(seen_magic, 0x53465457u);
  EXPECT_EQ(seen_size, 56 + 32 * size);
  EXPECT_EQ(seen_end[0], 0u);
  EXPECT_EQ(seen_end[1], 0u);
  EXPECT_EQ(seen_length, size);
  EXPECT_EQ(seen_byte, 33);
  EXPECT_EQ(out[0], 33);
  EXPECT_EQ(out[1], 78);
  EXPECT_GE(getauxval(AT_MINSIGSTKSZ), 1088 + 56 + 32 * size);
}

TEST(RiscvVectors, AProgramBeginsWithoutThoseOfTheOneBefore) {
  NEEDS_VECTORS();
  fill_all(0x5a);
  EXPECT_CHILD_OK([] { EXPECT_TRUE(keeps(9)); });
}

using RiscvCoreDump = CoreDump;

TEST_F(RiscvCoreDump, HasTheVectorsOfThreadsThatUseThem) {
  NEEDS_VECTORS();
  constexpr unsigned note_vectors = 0x900;
  const size_t size = register_bytes();
  auto pattern = dump_to("core");
  pid_t child = fork_child([] {
    allow_core();
    fill_all(0x5a);
    *(volatile int*)nullptr = 0;
  });
  EXPECT_KILLED(wait_for(child), SIGSEGV);
  const Core core(path("core"));
  const auto* vectors = core.find(note_vectors);
  ASSERT_NE(vectors, nullptr);
  EXPECT_EQ(vectors->owner, "LINUX");
  ASSERT_EQ(vectors->content.size(), 40 + 32 * size);
  EXPECT_EQ(vectors->content.substr(40), std::string(32 * size, 0x5a));
}

TEST_F(RiscvCoreDump, HasNoVectorsOfOthers) {
  auto pattern = dump_to("core");
  const pid_t child = fork_child([] {
    allow_core();
    raise(SIGSEGV);
  });
  EXPECT_KILLED(wait_for(child), SIGSEGV);
  const Core core(path("core"));
  EXPECT_NE(core.find(NT_FPREGSET), nullptr);
  EXPECT_EQ(core.find(0x900), nullptr);
}

}  // namespace
