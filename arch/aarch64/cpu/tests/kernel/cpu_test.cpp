// What the generic tests of CPUs cannot see: floating-point registers, protections of this architecture.
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>
#include <arch_impl/stack_frame.h>

#include <atomic>

#include "aarch64/features.h"
#include "aarch64/pointer_keys.h"
#include "aarch64/registers.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/test/test.h"

using core::test::expect, core::test::expect_equal, core::test::expect_ok;

namespace {

struct Unit {
  std::atomic<unsigned> left{0}, wrong{0};
};

// SAFETY: floating-point registers in kernel code: the thread has user state, so they are kept for it;
// nothing else in the kernel uses them.
void keep_registers(void* argument) {
  auto& shared = *static_cast<Unit*>(argument);
  core::Thread& self = core::Thread::current();
  if (!arch::prepare_user_state(self.arch_state)) ++shared.wrong;
  auto own = reinterpret_cast<std::uint64_t>(&self);
  for (unsigned round = 0; round < 300; ++round) {
    std::uint64_t in = own + round, low = 0, high = 0;
    asm volatile(".arch_extension fp\n fmov d5, %0\n fmov d31, %0" ::"r"(in));
    if (round % 7 == 0)
      core::sleep_for(50'000);
    else
      core::yield();
    asm volatile(".arch_extension fp\n fmov %0, d5\n fmov %1, d31" : "=r"(low), "=r"(high));
    if (low != in || high != in) ++shared.wrong;
  }
  --shared.left;
}

}  // namespace

KERNEL_TEST(context, floating_point_registers_belong_to_their_thread) {
  static constinit Unit shared;
  constexpr unsigned threads = 12;
  shared.left = threads;
  shared.wrong = 0;
  for (unsigned i = 0; i < threads; ++i) {
    auto thread = core::Thread::create("registers", keep_registers, &shared);
    if (!expect_ok(thread)) return;
    (*thread)->start();
  }
  while (shared.left) core::sleep_for(1'000'000);
  expect_equal(shared.wrong.load(), 0u);
}

KERNEL_TEST(page_tables, dirty_outlives_write_protection) {
  using arch::PageTableEntry;
  auto page = PageTableEntry::make_leaf(0x5000, {.write = true, .user = true}, 0);
  expect(page.writable() && !page.dirty() && !page.accessed(), "new");
  page = page.after_access(true);
  expect(page.writable() && page.dirty() && page.accessed(), "written");
  page = page.with_write(false);
  expect(!page.writable() && page.dirty(), "protected");
  page = page.with_write(true);
  expect(page.writable() && page.dirty(), "writable again");
  page = page.with_dirty(false);
  expect(page.writable() && !page.dirty(), "clean");
}

// SAFETY (the two functions): change registers of theirs alone; the branch that is refused goes on behind
// itself. Where nothing refuses it, it reaches the instruction that says so.
bool branch_to_no_target_is_refused() {
  std::uint64_t refused;
  asm volatile(
      "mov %0, #1\n"
      "adr x16, 1f\n"
      "blr x16\n"
      "1: mov %0, #0\n"
      "2:\n"
      ".pushsection exception_table, \"a\"\n"
      ".long 1b - ., 2b - .\n"
      ".popsection"
      : "=&r"(refused)::"x16", "x30", "memory");
  return refused;
}

// The address that a function is called to return to, as it keeps it on its stack.
[[gnu::noinline]] std::uint64_t kept_return_address() {
  asm volatile("" ::: "x30", "memory");  // not a leaf
  return static_cast<const std::uint64_t*>(__builtin_frame_address(0))[1];
}

KERNEL_TEST(protection, kernel_branches_go_to_marked_targets_on_every_cpu) {
  if (!arch::cpu_features().branch_targets) return core::test::skip("no BTI");
  std::atomic<unsigned> unchecked{0};
  arch::call_on_all_cpus([&] {
    if (!branch_to_no_target_is_refused()) ++unchecked;
  });
  expect_equal(unchecked.load(), 0u);
}

KERNEL_TEST(protection, kernel_return_addresses_are_signed_on_every_cpu) {
  if (!arch::cpu_features().address_authentication) return core::test::skip("no PAuth");
  std::atomic<unsigned> plain{0}, different{0};
  constexpr std::uint64_t address = 0xffffffff80200000, modifier = 0x1230;
  std::uint64_t expected = arch::arch_sign(address, modifier);
  expect(expected != address, "signed");
  expect(arch::arch_sign(address, modifier + 16) != expected, "with the stack pointer");
  arch::call_on_all_cpus([&] {
    std::uint64_t kept = kept_return_address();
    if (kept == arch::plain_return_address(kept)) ++plain;
    if (arch::arch_sign(address, modifier) != expected) ++different;  // a thread may go on elsewhere
  });
  expect_equal(plain.load(), 0u);
  expect_equal(different.load(), 0u);
}

KERNEL_TEST(protection, user_memory_is_shut_on_every_cpu) {
  if (!arch::cpu_features().pan) return core::test::skip("no PAN");
  std::atomic<unsigned> open{0};
  arch::call_on_all_cpus([&] {
    // SAFETY: PSTATE.PAN and SCTLR_EL1.SPAN are only read.
    if (!(NOS_READ_REGISTER("S3_0_C4_C2_3") >> 22 & 1)) ++open;
    if (NOS_READ_REGISTER("sctlr_el1") >> 23 & 1) ++open;
  });
  expect_equal(open.load(), 0u);
}
