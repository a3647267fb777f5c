// Life of an address space, and which CPU has which one loaded.
#include "core/memory/address_space.h"

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/smp.h>

#include <cstring>

#include "area_internal.h"
#include "core/memory/oom.h"
#include "core/sync/per_cpu.h"
#include "core/sync/thread_base.h"
#include "kernel_map_internal.h"
#include "mapper.h"

namespace core {

constinit Page* zero_page = nullptr;

namespace {

// 0 is the kernel's own.
constinit std::atomic<std::uint64_t> next_context_id{1};

struct Loaded {
  AddressSpace* space = nullptr;
};
PER_CPU constinit PerCpu<Loaded> loaded;

AddressSpaceLayout complete(AddressSpaceLayout layout) {
  if (layout.lowest < lowest_map_address) layout.lowest = lowest_map_address;
  if (!layout.highest || layout.highest > arch::user_address_limit) layout.highest = arch::user_address_limit;
  if (!layout.map_base || layout.map_base > layout.highest) layout.map_base = layout.highest;
  return layout;
}

}  // namespace

void initialize_address_spaces() {
  auto page = allocate_pages(0, AllocationFlags::zero);
  base::verify(page.has_value(), "no memory for the zero page");
  zero_page = *page;
}

Result<base::RefPtr<AddressSpace>> AddressSpace::create(const AddressSpaceLayout& layout) {
  auto* space = new (std::nothrow) AddressSpace(complete(layout));
  if (!space) return error(Errno::enomem);
  auto result = base::RefPtr<AddressSpace>::adopt(space);
  Page* root = TRY(allocate_pages(0, AllocationFlags::user));
  root->set(PageFlag::table);
  count_memory(MemoryCounter::page_tables, 1);
  space->root_ = physical_of(*root);
  space->table_pages_.store(1, std::memory_order_relaxed);
  constexpr unsigned first = arch::kernel_root_first_index();
  Entry* entries = Mapper::table_of(space->root_);
  std::memset(static_cast<void*>(entries), 0, first * sizeof(Entry));
  std::memcpy(static_cast<void*>(entries + first),
              Mapper::table_of(PhysicalAddress(arch::kernel_root())) + first,
              (arch::entries_per_table - first) * sizeof(Entry));
  // relaxed: only uniqueness matters.
  space->context_id_ = next_context_id.fetch_add(1, std::memory_order_relaxed);
  space->join_spaces();
  return result;
}

AddressSpace::~AddressSpace() {
  if (root_ == PhysicalAddress{}) return;
  leave_spaces();
  // CPUs that ran it last may still have it loaded, lazily, under a kernel thread.
  CpuMask mask;
  for (std::size_t i = 0; i < mask.words().size(); ++i) mask.words()[i] = active_cpus_[i].load();
  if (mask.any()) {
    arch::call_on_cpus(mask.words(), [this] {
      Loaded& here = loaded.local();
      if (here.space != this) return;
      arch::activate_address_space(arch::kernel_root(), 0, 0);
      here.space = nullptr;
      active_cpus_[arch::cpu_index() / 64].fetch_and(~(std::uint64_t{1} << (arch::cpu_index() % 64)));
    });
  }
  unmap_all();
  count_memory(MemoryCounter::page_tables, -1);
  Page& root = page_of(root_);
  root.clear(PageFlag::table);
  release_page(root);
}

void switch_address_space(AddressSpace* next) {
  Loaded& here = loaded.local();
  if (!next || next == here.space) return;
  unsigned cpu = arch::cpu_index();
  std::uint64_t bit = std::uint64_t{1} << (cpu % 64);
  // Full barrier between joining the mask and reading the generation: see TlbBatch::flush_range().
  next->active_cpus_[cpu / 64].fetch_or(bit);
  arch::activate_address_space(next->root_.value(), next->context_id_, next->tlb_generation_.load());
  AddressSpace* previous = here.space;
  here.space = next;
  if (previous) previous->active_cpus_[cpu / 64].fetch_and(~bit);
}

AddressSpace* current_address_space() { return ThreadBase::current().address_space; }

void AddressSpace::set_limits(const MemoryLimits& limits) {
  // relaxed: each limit is looked at on its own.
  limit_address_space_.store(limits.address_space, std::memory_order_relaxed);
  limit_data_.store(limits.data, std::memory_order_relaxed);
  limit_stack_.store(limits.stack, std::memory_order_relaxed);
  limit_locked_.store(limits.locked, std::memory_order_relaxed);
  may_lock_without_limit_.store(limits.may_lock_without_limit, std::memory_order_relaxed);
}

}  // namespace core
