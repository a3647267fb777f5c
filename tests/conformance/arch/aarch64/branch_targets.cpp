// Branch target identification (BTI), where the CPU has it.
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

constexpr int guarded = 0x10;  // PROT_BTI
constexpr uint32_t bti_c = 0xd503245f, nop = 0xd503201f, ret = 0xd65f03c0;

bool has_targets() { return getauxval(AT_HWCAP2) >> 17 & 1; }
#define NEEDS_TARGETS() \
  if (!has_targets()) GTEST_SKIP() << "the CPU does not check branches"

// A function that only returns, after `first`.
class Code {
 public:
  explicit Code(uint32_t first) {
    page_ = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(page_, MAP_FAILED);
    const uint32_t words[] = {first, ret};
    memcpy(page_, words, sizeof words);
    __builtin___clear_cache((char*)page_, (char*)page_ + sizeof words);
  }
  ~Code() { munmap(page_, 4096); }
  Code(const Code&) = delete;

  int protect(int protection) { return mprotect(page_, 4096, protection); }
  void* address() { return page_; }
  Fault call() {
    return provoke([this] { asm volatile("blr %0" ::"r"(page_) : "x30", "memory"); });
  }

 private:
  void* page_;
};

TEST(Aarch64BranchTargets, RegisterSaysSoToo) {
  uint64_t features;
  asm volatile("mrs %0, id_aa64pfr1_el1" : "=r"(features));
  EXPECT_EQ((features & 15) != 0, has_targets());
}

TEST(Aarch64BranchTargets, WithoutTheProcessorsHelpTheBitIsRefused) {
  if (has_targets()) GTEST_SKIP() << "the CPU checks branches";
  Code code(nop);
  EXPECT_ERRNO(code.protect(PROT_READ | PROT_EXEC | guarded), EINVAL);
}

TEST(Aarch64BranchTargets, GuardedCodeIsEnteredAtMarksOnly) {
  NEEDS_TARGETS();
  Code with(bti_c), without(nop);
  ASSERT_OK(with.protect(PROT_READ | PROT_EXEC | guarded));
  EXPECT_EQ(with.call().signal, 0);
  ASSERT_OK(without.protect(PROT_READ | PROT_EXEC | guarded));
  const Fault fault = without.call();
  EXPECT_EQ(fault.signal, SIGILL);
  EXPECT_EQ(fault.code, ILL_ILLOPC);
  EXPECT_EQ(fault.address, without.address());
}

TEST(Aarch64BranchTargets, OtherCodeIsEnteredAnywhere) {
  NEEDS_TARGETS();
  Code code(nop);
  ASSERT_OK(code.protect(PROT_READ | PROT_EXEC | guarded));
  // Not called in between: emulators remember what they found out about code.
  ASSERT_OK(code.protect(PROT_READ | PROT_EXEC));
  EXPECT_EQ(code.call().signal, 0);
}

TEST(Aarch64BranchTargets, ChildrenAreGuardedToo) {
  NEEDS_TARGETS();
  Code code(nop);
  ASSERT_OK(code.protect(PROT_READ | PROT_EXEC | guarded));
  EXPECT_CHILD_OK([&] { EXPECT_EQ(code.call().signal, SIGILL); });
}

// A handler is entered as by a call.
TEST(Aarch64BranchTargets, HandlersAreGuarded) {
  NEEDS_TARGETS();
  Code with(bti_c);
  ASSERT_OK(with.protect(PROT_READ | PROT_EXEC | guarded));
  signal(SIGUSR1, (void (*)(int))with.address());
  raise(SIGUSR1);
  EXPECT_CHILD_OK([] {
    Code without(nop);
    ASSERT_OK(without.protect(PROT_READ | PROT_EXEC | guarded));
    EXPECT_EQ(provoke([&] {
                signal(SIGUSR1, (void (*)(int))without.address());
                raise(SIGUSR1);
              }).signal,
              SIGILL);
  });
  signal(SIGUSR1, SIG_DFL);
}

// An instruction of the vDSO that returns and has no mark before it, except by chance; null: there is none.
void* return_of_vdso() {
  auto* code = (uint32_t*)getauxval(AT_SYSINFO_EHDR);
  for (size_t i = 1; code && i < 1024; i++)
    if (code[i] == ret) return code + i;
  return nullptr;
}

TEST(Aarch64BranchTargets, VdsoIsEnteredAtMarksOnly) {
  NEEDS_TARGETS();
  utsname names;
  ASSERT_OK(uname(&names));
  if (!strstr(names.release, "nos"))
    GTEST_SKIP() << "Linux's vDSO has marks only where clang has compiled it";
  void* place = return_of_vdso();
  ASSERT_NE(place, nullptr);
  const Fault fault = provoke([place] { asm volatile("blr %0" ::"r"(place) : "x30", "memory"); });
  EXPECT_EQ(fault.signal, SIGILL);
  EXPECT_EQ(fault.address, place);
  // Through its marks all is as ever.
  timespec now;
  EXPECT_OK(clock_gettime(CLOCK_MONOTONIC, &now));
}

}  // namespace
