// Threads whose vector registers and segment bases do not mix; kinds of memory.
#include <arch/cpu.h>
#include <arch/page_table.h>

#include <atomic>
#include <cstring>

#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/test/test.h"

using core::test::expect, core::test::expect_equal, core::test::expect_ok;

namespace {

struct Unit {
  std::atomic<unsigned> left{0}, wrong{0};
};

// SAFETY: vector registers in kernel code: the thread has user state, so they are kept for it; nothing else
// in the kernel uses them.
void keep_vectors(void* argument) {
  auto& shared = *static_cast<Unit*>(argument);
  core::Thread& self = core::Thread::current();
  if (!arch::prepare_user_state(self.arch_state)) ++shared.wrong;
  auto own = reinterpret_cast<std::uint64_t>(&self);
  for (unsigned round = 0; round < 300; ++round) {
    std::uint64_t in[2] = {own + round, ~own}, out[2] = {};
    asm volatile("movdqu %0, %%xmm5\n movdqu %0, %%xmm15" ::"m"(in));
    if (round % 7 == 0)
      core::sleep_for(50'000);
    else
      core::yield();
    asm volatile("movdqu %%xmm5, %0" : "=m"(out));
    if (std::memcmp(in, out, sizeof(in)) != 0) ++shared.wrong;
    asm volatile("movdqu %%xmm15, %0" : "=m"(out));
    if (std::memcmp(in, out, sizeof(in)) != 0) ++shared.wrong;
  }
  --shared.left;
}

}  // namespace

KERNEL_TEST(context, vector_registers_belong_to_their_thread) {
  static constinit Unit shared;
  constexpr unsigned threads = 12;
  shared.left = threads;
  shared.wrong = 0;
  for (unsigned i = 0; i < threads; ++i) {
    auto thread = core::Thread::create("vectors", keep_vectors, &shared);
    if (!expect_ok(thread)) return;
    (*thread)->start();
  }
  while (shared.left) core::sleep_for(1'000'000);
  expect_equal(shared.wrong.load(), 0u);
}

KERNEL_TEST(context, thread_pointer_and_gs_base) {
  core::Thread& self = core::Thread::current();
  if (!expect_ok(arch::prepare_user_state(self.arch_state))) return;
  arch::set_thread_pointer(self.arch_state, 0x123456789000);
  arch::set_user_gs_base(self.arch_state, 0x23456789a000);
  for (unsigned i = 0; i < 20; ++i) {
    core::sleep_for(100'000);
    expect_equal(arch::thread_pointer(self.arch_state), 0x123456789000u);
    expect_equal(arch::user_gs_base(self.arch_state), 0x23456789a000u);
  }
  arch::reset_user_state(self.arch_state);
  expect_equal(arch::thread_pointer(self.arch_state), 0u);
}

// The kind of memory has its own coding for each size of page.
KERNEL_TEST(page_tables, memory_types) {
  using arch::PageTableEntry;
  for (unsigned level = 0; level < 3; ++level) {
    for (unsigned type = 0; type < 4; ++type) {
      arch::PageAttributes attributes{.write = true, .cache = static_cast<arch::CacheType>(type)};
      std::uintptr_t physical = std::uintptr_t{5} << 30;
      auto leaf = PageTableEntry::make_leaf(physical, attributes, level);
      expect_equal(leaf.physical(level), physical);
      expect(leaf.attributes(level) == attributes, "attributes come back");
    }
  }
}
