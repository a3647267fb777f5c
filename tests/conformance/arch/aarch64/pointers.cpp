// Pointer authentication, where the CPU has it.
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

constexpr int reset_keys = 54, set_enabled_keys = 60, get_enabled_keys = 61;
constexpr unsigned long key_ia = 1, key_ib = 2, all_addresses = 15;
bool has_address_keys() { return getauxval(AT_HWCAP) >> 30 & 1; }
bool has_generic_key() { return getauxval(AT_HWCAP) >> 31 & 1; }

#define NEEDS_KEYS() \
  if (!has_address_keys()) GTEST_SKIP() << "the CPU has no pointer authentication"

// The instructions by their numbers in the space of hints: PACIA1716, AUTIA1716, PACIB1716.
uint64_t sign(uint64_t pointer, uint64_t context) {
  register uint64_t x17 asm("x17") = pointer;
  register uint64_t x16 asm("x16") = context;
  asm volatile("hint #8" : "+r"(x17) : "r"(x16));
  return x17;
}
uint64_t sign_b(uint64_t pointer, uint64_t context) {
  register uint64_t x17 asm("x17") = pointer;
  register uint64_t x16 asm("x16") = context;
  asm volatile("hint #10" : "+r"(x17) : "r"(x16));
  return x17;
}
uint64_t authenticate(uint64_t pointer, uint64_t context) {
  register uint64_t x17 asm("x17") = pointer;
  register uint64_t x16 asm("x16") = context;
  asm volatile("hint #12" : "+r"(x17) : "r"(x16));
  return x17;
}
uint64_t generic(uint64_t value, uint64_t context) {
  uint64_t result;
  asm volatile(".arch_extension pauth\n pacga %0, %1, %2" : "=r"(result) : "r"(value), "r"(context));
  return result;
}

constexpr uint64_t pointer = 0x0000'5555'1234'5678;
// Signatures are short: a single one may be the same, or zero, by chance; sixteen are not.

TEST(Aarch64Pointers, SignedPointersAreAuthentic) {
  NEEDS_KEYS();
  bool changed = false;
  for (uint64_t context = 1; context <= 16; context++) {
    const uint64_t made = sign(pointer, context);
    changed |= made != pointer;
    EXPECT_EQ(made & 0x0000'ffff'ffff'ffff, pointer);
    EXPECT_EQ(authenticate(made, context), pointer);
  }
  EXPECT_TRUE(changed);
}

TEST(Aarch64Pointers, ForgedPointersFault) {
  NEEDS_KEYS();
  const Fault fault = provoke([] {
    for (uint64_t context = 1; context <= 16; context++) {
      const uint64_t forged = sign((uint64_t)&key_ia, context) ^ uint64_t { 1 } << 52;
      peek((void*)authenticate(forged, context));
    }
  });
  // The second where authentication itself traps.
  EXPECT_TRUE(fault.signal == SIGSEGV || fault.signal == SIGILL) << fault.signal;
}

TEST(Aarch64Pointers, ChildrenHaveTheKeysAndKeepThem) {
  NEEDS_KEYS();
  uint64_t before[16];
  for (uint64_t i = 0; i < 16; i++) before[i] = sign(pointer, i);
  const pid_t child = fork_child([&] {
    for (int round = 0; round < 50; round++) {
      for (uint64_t i = 0; i < 16; i++) EXPECT_EQ(sign(pointer, i), before[i]);
      sched_yield();
    }
    ASSERT_OK(prctl(reset_keys, 0, 0, 0, 0));
    bool differs = false;
    for (uint64_t i = 0; i < 16; i++) differs |= sign(pointer, i) != before[i];
    EXPECT_TRUE(differs);
  });
  for (int round = 0; round < 50; round++) {
    for (uint64_t i = 0; i < 16; i++) EXPECT_EQ(sign(pointer, i), before[i]);
    sched_yield();
  }
  EXPECT_EXITED(wait_for(child), 0);
  for (uint64_t i = 0; i < 16; i++) EXPECT_EQ(sign(pointer, i), before[i]) << "the child's are its own";
}

// Not in the process of the suite: this program's own returns may be signed.
TEST(Aarch64Pointers, ResetChangesTheNamedKeysOnly) {
  NEEDS_KEYS();
  const pid_t child = fork_child([] {
    uint64_t a[16], b[16];
    for (uint64_t i = 0; i < 16; i++) a[i] = sign(pointer, i), b[i] = sign_b(pointer, i);
    ASSERT_OK(prctl(reset_keys, key_ib, 0, 0, 0));
    bool changed = false;
    for (uint64_t i = 0; i < 16; i++) {
      EXPECT_EQ(sign(pointer, i), a[i]);
      changed |= sign_b(pointer, i) != b[i];
    }
    EXPECT_TRUE(changed);
  });
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_ERRNO(prctl(reset_keys, 0x20, 0, 0, 0), EINVAL);
  EXPECT_ERRNO(prctl(reset_keys, key_ib, 1, 0, 0), EINVAL);
}

TEST(Aarch64Pointers, DisabledKeysDoNotSign) {
  NEEDS_KEYS();
  EXPECT_EQ(prctl(get_enabled_keys, 0, 0, 0, 0), (int)all_addresses);
  const pid_t child = fork_child([] {
    ASSERT_OK(prctl(set_enabled_keys, key_ib, 0, 0, 0));
    EXPECT_EQ(prctl(get_enabled_keys, 0, 0, 0, 0), (int)(all_addresses & ~key_ib));
    for (uint64_t i = 0; i < 16; i++) EXPECT_EQ(sign_b(pointer, i), pointer);
    sched_yield();
    ASSERT_OK(prctl(set_enabled_keys, key_ib, key_ib, 0, 0));
    bool changed = false;
    for (uint64_t i = 0; i < 16; i++) changed |= sign_b(pointer, i) != pointer;
    EXPECT_TRUE(changed);
  });
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_ERRNO(prctl(set_enabled_keys, 0x10, 0, 0, 0), EINVAL);
  EXPECT_ERRNO(prctl(set_enabled_keys, key_ib, key_ia, 0, 0), EINVAL);
}

TEST(Aarch64Pointers, GenericSignatures) {
  if (!has_generic_key()) GTEST_SKIP() << "the CPU has no generic authentication";
  EXPECT_EQ(generic(1, 2), generic(1, 2));
  EXPECT_NE(generic(1, 2), generic(2, 2));
  EXPECT_EQ(static_cast<uint32_t>(generic(1, 2)), 0u);
}

}  // namespace
