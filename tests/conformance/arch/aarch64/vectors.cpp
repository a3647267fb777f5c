// Scalable vectors (SVE), where the CPU has them. A system call leaves only the low 128 bits of each: what
// keeps the rest across switches and signals is seen by loops that make none.
#include <elf.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#include <string>

#include "process/core_file.h"
#include "tracing/tracee.h"

namespace {
using namespace conformance;

constexpr size_t largest_register = 256, low_half = 16;
constexpr int turns = 2'000'000;
constexpr int set_length = 50, get_length = 51;
constexpr unsigned long inherit = 1 << 17, next_program = 1 << 18;

bool has_vectors() { return getauxval(AT_HWCAP) >> 22 & 1; }
#define NEEDS_VECTORS() \
  if (!has_vectors()) GTEST_SKIP() << "the CPU has no scalable vectors"

size_t register_bytes() {
  size_t size;
  asm volatile(".arch_extension sve\n rdvl %0, #1" : "=r"(size));
  return size;
}

// Z3, Z29, P2 and FFR.
struct Some {
  alignas(16) unsigned char z3[largest_register] = {}, z29[largest_register] = {};
  alignas(16) unsigned char p2[largest_register / 8] = {}, ffr[largest_register / 8] = {};
};

void load(const Some& from) {
  asm volatile(
      ".arch_extension sve\n"
      "ldr z3, [%0]\n ldr z29, [%1]\n ldr p2, [%3]\n wrffr p2.b\n ldr p2, [%2]\n" ::"r"(from.z3),
      "r"(from.z29), "r"(from.p2), "r"(from.ffr)
      : "v3", "v29", "memory");
}
void store(Some& to) {
  asm volatile(
      ".arch_extension sve\n"
      "str z3, [%0]\n str z29, [%1]\n str p2, [%2]\n rdffr p2.b\n str p2, [%3]\n" ::"r"(to.z3),
      "r"(to.z29), "r"(to.p2), "r"(to.ffr)
      : "memory");
}
void wait_a_while(long count) { asm volatile("1: subs %0, %0, #1\n b.ne 1b" : "+r"(count)::"cc"); }

Some pattern_of(unsigned first) {
  Some made;
  const size_t size = register_bytes();
  for (size_t i = 0; i < size; i++) {
    made.z3[i] = (unsigned char)(first + i);
    made.z29[i] = (unsigned char)(first ^ i);
  }
  for (size_t i = 0; i < size / 8; i++) made.p2[i] = (unsigned char)(first * 3 + i);
  made.ffr[0] = 0x7f;  // what follows a first fault: ones, then zeros
  return made;
}
__attribute__((noinline)) bool keeps(unsigned first) {
  const Some in = pattern_of(first);
  Some out;
  load(in);
  wait_a_while(turns);
  store(out);
  return memcmp(&in, &out, sizeof in) == 0;
}

TEST(Aarch64Vectors, EverythingSaysTheSame) {
  uint64_t features;
  asm volatile("mrs %0, id_aa64pfr0_el1" : "=r"(features));
  EXPECT_EQ((features >> 32 & 15) != 0, has_vectors());
  if (!has_vectors()) {
    EXPECT_ERRNO(prctl(get_length), EINVAL);
    EXPECT_ERRNO(prctl(set_length, 16), EINVAL);
    return;
  }
  EXPECT_EQ((size_t)prctl(get_length), register_bytes());
  const std::string text = slurp("/proc/sys/abi/sve_default_vector_length");
  EXPECT_EQ(text, std::to_string(register_bytes()) + "\n");
}

TEST(Aarch64Vectors, SurviveSwitches) {
  NEEDS_VECTORS();
  pid_t children[6];
  unsigned first = 1;
  for (pid_t& child : children) {
    first += 37;
    child = fork_child([first] {
      for (unsigned round = 0; round < 4; round++) EXPECT_TRUE(keeps(first + round));
    });
  }
  for (const pid_t child : children) EXPECT_EXITED(wait_for(child), 0);
}

TEST(Aarch64Vectors, SurviveSwitchesBetweenLengths) {
  NEEDS_VECTORS();
  pid_t children[6];
  for (unsigned i = 0; i < 6; i++) {
    children[i] = fork_child([i] {
      EXPECT_NE(prctl(set_length, i % 2 ? 16ul : (unsigned long)largest_register), -1);
      for (unsigned round = 0; round < 4; round++) EXPECT_TRUE(keeps(i * 16 + round));
    });
  }
  for (const pid_t child : children) EXPECT_EXITED(wait_for(child), 0);
}

TEST(Aarch64Vectors, SystemCallsKeepTheLowHalvesOnly) {
  NEEDS_VECTORS();
  const Some in = pattern_of(5);
  Some out;
  load(in);
  register long number asm("x8") = SYS_getppid;
  register long result asm("x0");
  asm volatile("svc #0" : "=r"(result) : "r"(number) : "memory");
  store(out);
  EXPECT_EQ(memcmp(in.z3, out.z3, low_half), 0);
  EXPECT_EQ(memcmp(in.z29, out.z29, low_half), 0);
  const Some zero;
  EXPECT_EQ(memcmp(out.z3 + low_half, zero.z3, largest_register - low_half), 0);
  EXPECT_EQ(memcmp(out.p2, zero.p2, sizeof zero.p2), 0);
  EXPECT_EQ(memcmp(out.ffr, zero.ffr, sizeof zero.ffr), 0);
}

volatile int handled;

TEST(Aarch64Vectors, SurviveSignalHandlersThatUseThem) {
  NEEDS_VECTORS();
  handled = 0;
  signal(SIGALRM, [](int) {
    load(pattern_of(0xee));
    handled = handled + 1;
  });
  const itimerval often = {{0, 2000}, {0, 2000}}, never = {};
  setitimer(ITIMER_REAL, &often, nullptr);
  for (unsigned round = 0; round < 20 || !handled; round++) EXPECT_TRUE(keeps(round));
  setitimer(ITIMER_REAL, &never, nullptr);
}

// ---- Lengths ----

TEST(Aarch64Vectors, TheLengthCanBeChosen) {
  NEEDS_VECTORS();
  EXPECT_CHILD_OK([] {
    EXPECT_ERRNO(prctl(set_length, 0), EINVAL);
    EXPECT_ERRNO(prctl(set_length, 24), EINVAL);
    EXPECT_ERRNO(prctl(set_length, 8208), EINVAL);
    EXPECT_ERRNO(prctl(set_length, 16ul | 1 << 19), EINVAL);
    const int longest = prctl(set_length, 8192);
    EXPECT_GE(longest, 16);
    EXPECT_EQ((size_t)longest, register_bytes());
    const Some in = pattern_of(9);
    Some out;
    load(in);
    const int shortest = prctl(set_length, 16);  // 128 bits are always there
    EXPECT_EQ(shortest, 16);
    EXPECT_EQ(prctl(get_length), 16);
    EXPECT_EQ(register_bytes(), 16u);
    const pid_t child = fork_child([] { EXPECT_EQ(register_bytes(), 16u); });
    EXPECT_EQ(wait_for(child), 0);
    load(in);
    store(out);
    EXPECT_EQ(memcmp(in.z3, out.z3, 16), 0);
  });
}

TEST(Aarch64Vectors, TheNextProgramsLengthIsKeptApart) {
  NEEDS_VECTORS();
  EXPECT_CHILD_OK([] {
    const size_t before = register_bytes();
    EXPECT_EQ(prctl(set_length, 16ul | next_program), 16);
    EXPECT_EQ(register_bytes(), before);
    EXPECT_EQ(prctl(get_length), (int)before);
    EXPECT_EQ(prctl(set_length, before | inherit), (int)(before | inherit));
    EXPECT_EQ(prctl(get_length), (int)(before | inherit));
    EXPECT_EQ(prctl(set_length, before), (int)before);
  });
}

// ---- Signal frames ----

struct Record {
  uint32_t magic, size;
};
constexpr uint32_t vector_magic = 0x53564501, extra_magic = 0x45585401;

Record* next(Record* record) {
  return reinterpret_cast<Record*>(reinterpret_cast<char*>(record) + record->size);
}
Record* find_record(void* context, uint32_t magic) {
  auto* record = reinterpret_cast<Record*>(static_cast<ucontext_t*>(context)->uc_mcontext.__reserved);
  while (record->magic && record->magic != magic) {
    if (record->magic != extra_magic) {
      record = next(record);
      continue;
    }
    uint64_t address;
    memcpy(&address, record + 1, sizeof address);
    EXPECT_EQ(next(record)->magic, 0u) << "an end follows";
    EXPECT_EQ(address, (uint64_t)next(record) + 16);
    record = reinterpret_cast<Record*>(address);
  }
  return record->magic ? record : nullptr;
}

volatile uint32_t seen_size;
volatile uint16_t seen_length;
volatile unsigned char seen_byte;

void look_and_change(int, siginfo_t*, void* context) {
  Record* record = find_record(context, vector_magic);
  if (record) {
    seen_size = record->size;
    memcpy(const_cast<uint16_t*>(&seen_length), record + 1, sizeof(uint16_t));
    auto* registers = reinterpret_cast<unsigned char*>(record) + 16;
    if (record->size > 16) {
      unsigned char* last = registers + 3 * seen_length + seen_length - 1;
      seen_byte = *last;
      *last = 78;
    }
  }
  static_cast<ucontext_t*>(context)->uc_mcontext.pc += 4;  // past the instruction
}

void see_frame() {
  struct sigaction action = {};
  action.sa_sigaction = look_and_change;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  const size_t size = register_bytes();
  const Some in = pattern_of(40);
  Some out;
  load(in);
  asm volatile(".inst 0" ::: "memory");
  store(out);
  EXPECT_EQ(seen_length, size);
  EXPECT_EQ(seen_size, (16 + size * 32 + size / 8 * 17 + 15) / 16 * 16);
  EXPECT_EQ(seen_byte, in.z3[size - 1]);
  if (size > low_half) {
    EXPECT_EQ(out.z3[size - 1], 78);
    EXPECT_EQ(out.z3[size - 2], in.z3[size - 2]);
  }
  EXPECT_EQ(memcmp(in.z29, out.z29, sizeof in.z29), 0);
  EXPECT_EQ(memcmp(in.p2, out.p2, sizeof in.p2), 0);
  EXPECT_GE(getauxval(AT_MINSIGSTKSZ), seen_size);
}

TEST(Aarch64Vectors, SignalFrameShowsAndChangesThem) {
  NEEDS_VECTORS();
  see_frame();
}

// More than the frame's 4 KiB of records hold.
TEST(Aarch64Vectors, SignalFrameOfTheLongest) {
  NEEDS_VECTORS();
  EXPECT_CHILD_OK([] {
    EXPECT_NE(prctl(set_length, 8192), -1);
    see_frame();
  });
}

TEST(Aarch64Vectors, FrameWithoutRegistersWhereNoneAreInUse) {
  NEEDS_VECTORS();
  struct sigaction action = {};
  action.sa_sigaction = look_and_change;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  seen_size = 0;
  register long number asm("x8") = SYS_getppid;
  register long result asm("x0");
  asm volatile("svc #0\n .inst 0" : "=r"(result) : "r"(number) : "memory");
  EXPECT_EQ(seen_size, 16u);
}

// ---- ptrace ----

struct VectorSet {
  uint32_t size, largest;
  uint16_t length, longest, flags, reserved;
  unsigned char registers[largest_register * 35 + 64];
};
constexpr uint16_t scalable = 1;

TEST(PtraceAarch64, VectorsCanBeReadAndChanged) {
  NEEDS_VECTORS();
  Tracee tracee([] {
    const Some in = pattern_of(3);
    Some out;
    load(in);
    asm volatile("brk #0" ::: "memory");
    store(out);
    _exit(out.z3[register_bytes() - 1]);
  });
  EXPECT_STOP(tracee.next(), SIGTRAP);
  static VectorSet set;
  iovec vector{&set, sizeof set};
  ASSERT_OK(tracee.call(PTRACE_GETREGSET, NT_ARM_SVE, (unsigned long)&vector));
  const size_t size = register_bytes();
  EXPECT_EQ(set.length, size);
  EXPECT_GE(set.longest, size);
  EXPECT_EQ(set.flags & scalable, scalable);
  EXPECT_EQ(set.size, vector.iov_len);
  EXPECT_GE(set.largest, set.size);
  EXPECT_EQ(set.registers[3 * size + 1], 4);
  set.registers[4 * size - 1] = 55;
  ASSERT_OK(tracee.call(PTRACE_SETREGSET, NT_ARM_SVE, (unsigned long)&vector));
  Registers registers = registers_of(tracee.pid());
  registers.pc += 4;
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 55);
  tracee.gone();
}

TEST(PtraceAarch64, VectorsNotInUseAreTheFloatingPointRegisters) {
  NEEDS_VECTORS();
  Tracee tracee([] {
    raise(SIGUSR1);
    _exit(0);
  });
  EXPECT_STOP(tracee.next(), SIGUSR1);
  static VectorSet set;
  iovec vector{&set, sizeof set};
  ASSERT_OK(tracee.call(PTRACE_GETREGSET, NT_ARM_SVE, (unsigned long)&vector));
  EXPECT_EQ(set.flags & scalable, 0);
  EXPECT_EQ(vector.iov_len, 16u + 528);
  set.length = 24;
  EXPECT_ERRNO(tracee.call(PTRACE_SETREGSET, NT_ARM_SVE, (unsigned long)&vector), EINVAL);
  EXPECT_EXITED(tracee.next(), 0);
  tracee.gone();
}

using Aarch64CoreDump = CoreDump;

TEST_F(Aarch64CoreDump, HasTheVectorsInUse) {
  NEEDS_VECTORS();
  const size_t size = register_bytes();
  auto pattern = dump_to("core");
  const pid_t child = fork_child([] {
    allow_core();
    load(pattern_of(7));
    *(volatile int*)nullptr = 0;
  });
  EXPECT_KILLED(wait_for(child), SIGSEGV);
  const Core core(path("core"));
  const auto* vectors = core.find(NT_ARM_SVE);
  ASSERT_NE(vectors, nullptr);
  EXPECT_EQ(vectors->owner, "LINUX");
  ASSERT_GT(vectors->content.size(), 16 + 32 * size);
  EXPECT_EQ((unsigned char)vectors->content[16 + 3 * size + size - 1], (unsigned char)(7 + size - 1));
}

}  // namespace
