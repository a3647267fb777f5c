// Threads whose floating-point registers do not mix; the firmware's numbers.
#include <arch/cpu.h>
#include <arch/page_table.h>

#include <atomic>

#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/test/test.h"
#include "riscv64/features.h"
#include "riscv64/floating_point.h"

using core::test::expect, core::test::expect_equal, core::test::expect_ok;

namespace {

struct Unit {
  std::atomic<unsigned> left{0}, wrong{0};
};

// A kernel thread with user state, so that the registers are kept for it; nothing else in the kernel uses
// them.
void keep_registers(void* argument) {
  auto& shared = *static_cast<Unit*>(argument);
  core::Thread& self = core::Thread::current();
  if (!arch::prepare_user_state(self.arch_state)) ++shared.wrong;
  for (unsigned round = 0; round < 300; ++round) {
    arch::FloatingPointState in;
    // SAFETY: the thread's address is a number of its own.
    for (unsigned i = 0; i < 32; ++i) in.f[i] = reinterpret_cast<std::uintptr_t>(&self) + round * 32 + i;
    in.control = round & 0x1f;
    arch::load_floating_point(self.arch_state, in);
    if (round % 7 == 0)
      core::sleep_for(50'000);
    else
      core::yield();
    // What the unit holds now, whatever memory says: marks it as changed.
    constexpr std::uint64_t dirty = 0x6000;
    asm volatile("csrs sstatus, %0" ::"r"(dirty));  // SAFETY: the registers are then stored as they are
    const arch::FloatingPointState& out = arch::capture_floating_point(self.arch_state);
    for (unsigned i = 0; i < 32; ++i)
      if (out.f[i] != in.f[i]) ++shared.wrong;
    if (out.control != in.control) ++shared.wrong;
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
    auto thread = core::Thread::create("floats", keep_registers, &shared);
    if (!expect_ok(thread)) return;
    (*thread)->start();
  }
  while (shared.left) core::sleep_for(1'000'000);
  expect_equal(shared.wrong.load(), 0u);
}

KERNEL_TEST(cpu, description_fits_what_the_kernel_is_built_for) {
  std::string_view isa = arch::cpu_features().isa;
  expect(isa.starts_with("rv64"), "a 64-bit processor");
  expect_equal(arch::user_address_limit, std::uintptr_t{1} << (11 + 9 * arch::levels()));
}
