// ptrace(2): the vector registers, where the CPU has them.
#include <string.h>
#include <sys/auxv.h>

#include "tracing/tracee.h"

namespace {
using namespace conformance;

constexpr unsigned note_vectors = 0x900;

// struct __riscv_v_regset_state
struct VectorRegisters {
  uint64_t start, length, type, control, register_bytes;
  unsigned char registers[32 * 1024];
};

#define NEEDS_VECTORS() \
  if (!(getauxval(AT_HWCAP) >> ('v' - 'a') & 1)) GTEST_SKIP() << "the CPU has no vector registers"

size_t register_bytes() {
  size_t size;
  asm volatile(".option push\n .option arch, +v\n csrr %0, vlenb\n .option pop" : "=r"(size));
  return size;
}
size_t set_size() { return 5 * 8 + 32 * register_bytes(); }

TEST(PtraceRiscv, VectorRegistersAreSeenAndChanged) {
  NEEDS_VECTORS();
  static const unsigned char in[16] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6};
  static unsigned char out[16];
  Tracee tracee([] {
    asm volatile(
        ".option push\n .option arch, +v\n"
        "vsetivli t0, 16, e8, m1, ta, ma\n vle8.v v7, (%0)\n"
        "ebreak\n"
        "vse8.v v7, (%1)\n"
        ".option pop" ::"r"(in),
        "r"(out)
        : "t0", "memory");
    _exit(out[0] == 77 && out[1] == in[1] ? 6 : 1);
  });
  EXPECT_STOP(tracee.next(), SIGTRAP);
  static VectorRegisters vectors;
  iovec vector{&vectors, set_size()};
  ASSERT_OK(tracee.call(PTRACE_GETREGSET, note_vectors, (unsigned long)&vector));
  EXPECT_EQ(vector.iov_len, set_size());
  EXPECT_EQ(vectors.register_bytes, register_bytes());
  EXPECT_EQ(vectors.length, 16u);
  unsigned char* seventh = vectors.registers + 7 * register_bytes();
  EXPECT_EQ(memcmp(seventh, in, 16), 0);
  seventh[0] = 77;
  EXPECT_OK(tracee.call(PTRACE_SETREGSET, note_vectors, (unsigned long)&vector));
  vectors.register_bytes += 8;
  EXPECT_ERRNO(tracee.call(PTRACE_SETREGSET, note_vectors, (unsigned long)&vector), EINVAL);
  Registers registers = registers_of(tracee.pid());
  unsigned long word = 0;
  EXPECT_OK(tracee.call(PTRACE_PEEKDATA, registers.pc, (unsigned long)&word));
  registers.pc += (word & 3) == 3 ? 4 : 2;  // past the instruction, in either of its forms
  set_registers(tracee.pid(), registers);
  EXPECT_EXITED(tracee.next(), 6);
  tracee.gone();
}

TEST(PtraceRiscv, AThreadWithoutVectorsHasNone) {
  NEEDS_VECTORS();
  Tracee tracee([] { pause(); });
  static VectorRegisters vectors;
  iovec vector{&vectors, set_size()};
  // A library's string functions may have used them already.
  const long status = tracee.call(PTRACE_GETREGSET, note_vectors, (unsigned long)&vector);
  if (status == 0) GTEST_SKIP() << "this program's library uses them";
  EXPECT_ERRNO(status, EINVAL);
}

}  // namespace
