// CPUs that call each other, time that only grows, page tables without holes in their rights.
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>
#include <arch/time.h>

#include <atomic>

#include "core/memory/address.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/sync/cpu_mask.h"
#include "core/test/test.h"

using core::test::expect, core::test::expect_equal, core::test::expect_ok;

KERNEL_TEST(smp, calls_reach_every_cpu) {
  std::atomic<unsigned> reached{0};
  std::atomic<std::uint64_t> where{0};
  arch::call_on_all_cpus([&] {
    ++reached;
    where |= std::uint64_t{1} << (arch::cpu_index() % 64);
  });
  expect_equal(reached.load(), arch::cpu_count());
  expect_equal(static_cast<unsigned>(__builtin_popcountll(where)), arch::cpu_count());
  for (unsigned cpu = 0; cpu < arch::cpu_count(); ++cpu) {
    unsigned ran_on = ~0u;
    arch::call_on_cpu(cpu, [&] { ran_on = arch::cpu_index(); });
    expect_equal(ran_on, cpu);
  }
}

namespace {

struct Callers {
  std::atomic<unsigned> left{0};
  std::atomic<unsigned> calls{0};
};

void call_often(void* argument) {
  auto& shared = *static_cast<Callers*>(argument);
  for (unsigned i = 0; i < 200; ++i) {
    if (i % 3) {
      arch::call_on_all_cpus([&] { ++shared.calls; });
    } else {
      // With interrupts off, so that two who call each other depend on serving while they wait.
      arch::InterruptsOff off;
      arch::call_on_all_cpus([&] { ++shared.calls; });
    }
  }
  --shared.left;
}

}  // namespace

KERNEL_TEST(smp, calls_in_all_directions_at_once) {
  static constinit Callers shared;
  unsigned count = arch::cpu_count();
  shared.calls = 0;
  shared.left = count;
  for (unsigned cpu = 0; cpu < count; ++cpu) {
    auto thread = core::Thread::create("caller", call_often, &shared);
    if (!expect_ok(thread)) return;
    expect_ok((*thread)->set_affinity(core::CpuMask::single(cpu)));
    (*thread)->start();
  }
  while (shared.left) core::sleep_for(1'000'000);
  expect_equal(shared.calls.load(), 200 * count * count);
}

KERNEL_TEST(time, grows_across_cpus) {
  std::uint64_t last = arch::nanoseconds();
  unsigned backwards = 0;
  for (unsigned round = 0; round < 200; ++round) {
    for (unsigned cpu = 0; cpu < arch::cpu_count(); ++cpu) {
      std::uint64_t there = 0;
      arch::call_on_cpu(cpu, [&] { there = arch::nanoseconds(); });
      if (there < last) ++backwards;
      last = there;
    }
  }
  expect_equal(backwards, 0u);
}

namespace {

struct Rights {
  unsigned leaves = 0, writable_and_executable = 0, for_users = 0;
};

void walk(std::uintptr_t table, unsigned level, unsigned first, Rights& rights) {
  auto* entries = core::to_virtual<arch::PageTableEntry>(core::PhysicalAddress(table));
  for (unsigned i = first; i < arch::entries_per_table; ++i) {
    arch::PageTableEntry entry = arch::read_entry(&entries[i]);
    if (!entry.is_present()) continue;
    if (!entry.is_leaf(level)) {
      walk(entry.physical(level), level - 1, 0, rights);
      continue;
    }
    ++rights.leaves;
    if (entry.writable() && entry.executable()) ++rights.writable_and_executable;
    if (entry.is_user()) ++rights.for_users;
  }
}

}  // namespace

KERNEL_TEST(page_tables, nothing_is_writable_and_executable) {
  Rights rights;
  // The kernel's half of a shared root, or all of a root of its own.
  walk(arch::kernel_root(), arch::levels() - 1, arch::kernel_root_first_index() % arch::entries_per_table,
       rights);
  expect(rights.leaves > 10, "too few pages to believe it");
  expect_equal(rights.writable_and_executable, 0u);
  expect_equal(rights.for_users, 0u);
}

KERNEL_TEST(page_tables, entry_format) {
  using arch::PageTableEntry;
  for (unsigned level = 0; level < 3; ++level) {
    if (!arch::is_leaf_level_supported(level)) continue;
    for (unsigned bits = 0; bits < 16; ++bits) {
      arch::PageAttributes attributes{.read = true,
                                      .write = (bits & 1) != 0,
                                      .execute = (bits & 2) != 0,
                                      .user = (bits & 4) != 0,
                                      .global = (bits & 8) != 0};
      std::uintptr_t physical = std::uintptr_t{5} << 30;
      auto leaf = PageTableEntry::make_leaf(physical, attributes, level);
      expect(leaf.is_present() && leaf.is_leaf(level) && !leaf.is_software(), "leaf");
      expect_equal(leaf.physical(level), physical);
      expect(leaf.attributes(level) == attributes, "attributes come back");
      expect(leaf.with_dirty(true).with_software_bit(1, true).with_attributes(attributes, level).dirty(),
             "dirty stays");
    }
  }
  auto none = PageTableEntry::make_leaf(0x7000, {.read = false}, 0);
  expect(none.is_present() && !none.readable() && none.physical(0) == 0x7000,
         "a page without access keeps its address");
  auto swapped = PageTableEntry::make_software(0x123456789);
  expect(!swapped.is_present() && swapped.is_software() && swapped.software_payload() == 0x123456789,
         "payload");
}
