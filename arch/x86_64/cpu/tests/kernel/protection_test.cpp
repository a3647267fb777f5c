// What the processor can do against mistakes and attacks is switched on, on every CPU.
#include <arch/cpu.h>
#include <arch/smp.h>

#include <atomic>
#include <cstdint>

#include "core/test/test.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"

using core::test::expect, core::test::expect_equal;

extern "C" std::uint64_t __stack_chk_guard;

namespace {

// On how many CPUs the bits are set.
unsigned cpus_with(std::uint64_t (*read)(), std::uint64_t bits) {
  std::atomic<unsigned> count{0};
  arch::call_on_all_cpus([&] {
    if ((read() & bits) == bits) count.fetch_add(1);
  });
  return count.load();
}

void expect_everywhere(bool offered, const char* what, std::uint64_t (*read)(), std::uint64_t bits) {
  if (offered) expect(cpus_with(read, bits) == arch::cpu_count(), what);
}

std::uint64_t control_4() { return arch::read_cr4(); }
std::uint64_t control_0() { return arch::read_cr0(); }
std::uint64_t extended_features() { return arch::read_msr(arch::Msr::efer); }

}  // namespace

KERNEL_TEST(protection, user_memory_is_out_of_reach) {
  const arch::CpuFeatures& features = arch::cpu_features();
  expect_everywhere(features.smep, "SMEP", control_4, arch::cr4_smep);
  expect_everywhere(features.smap, "SMAP", control_4, arch::cr4_smap);
  if (!features.smap) return;
  // The flag that lifts it (AC) is not left behind by anything.
  std::atomic<unsigned> closed{0};
  arch::call_on_all_cpus([&] {
    std::uint64_t flags;
    asm volatile("pushfq; popq %0" : "=r"(flags));  // SAFETY: reads the flags
    if (!(flags >> 18 & 1)) closed.fetch_add(1);
  });
  expect_equal(closed.load(), arch::cpu_count());
}

KERNEL_TEST(protection, tables_are_hidden_from_programs) {
  expect_everywhere(arch::cpu_features().umip, "UMIP", control_4, arch::cr4_umip);
}

KERNEL_TEST(protection, read_only_pages_bind_the_kernel) {
  constexpr std::uint64_t write_protect = 1 << 16, no_execute = 1 << 11;
  expect_everywhere(true, "CR0.WP", control_0, write_protect);
  expect_everywhere(arch::cpu_features().no_execute, "EFER.NXE", extended_features, no_execute);
}

KERNEL_TEST(protection, stack_canary_is_this_boots_own) {
  constexpr std::uint64_t as_built = 0x595e9fbd94fda700;
  expect(__stack_chk_guard != as_built, "the canary was not made random");
  // Its lowest byte ends strings, so that they cannot carry it.
  expect_equal(__stack_chk_guard & 0xff, std::uint64_t{0});
}
