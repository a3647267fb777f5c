// Start-up: the descriptor array, then everything that is free to the allocator.
//
// The array is indexed by page number, but only parts whose pages are RAM are backed by memory: one page of
// descriptors for every 512 KiB of RAM, or 2 MiB of descriptors at once where a 256 MiB stretch is mostly RAM
// (fewer TLB entries).
#include "core/memory/memory_init.h"

#include <arch/page_table.h>

#include <cstring>

#include "../page_internal.h"
#include "core/log/log.h"
#include "core/memory/kasan.h"
#include "early_memory.h"
#include "kernel_map_internal.h"
#include "kernel_tables.h"
#include "zones.h"

namespace core {
namespace {

constexpr std::uint64_t group_pages = std::uint64_t{1} << presence_shift;
constexpr std::uint64_t groups_per_large = arch::entries_per_table;

bool is_ram(boot::MemoryKind kind) {
  switch (kind) {
    case boot::MemoryKind::usable:
    case boot::MemoryKind::kernel:
    case boot::MemoryKind::initrd:
    case boot::MemoryKind::initrd_kept:
    case boot::MemoryKind::boot_tables:
    case boot::MemoryKind::acpi_reclaimable:
      return true;
    default:
      return false;
  }
}

void mark_present(std::uint64_t group) {
  memory_map_presence[group / 64] |= std::uint64_t{1} << (group % 64);
}
bool is_present(std::uint64_t group) { return memory_map_presence[group / 64] >> (group % 64) & 1; }

void map_early(EarlyMemory& memory, std::uintptr_t address, PhysicalAddress physical, unsigned level) {
  auto source = [&]() -> Result<PhysicalAddress> { return memory.allocate(page_size, page_size); };
  auto entry = make_kernel_entry(address, level, source);
  base::verify(entry.has_value(), "the room for page descriptors is in use");
  auto leaf =
      arch::PageTableEntry::make_leaf(physical.value(), {.read = true, .write = true, .global = true}, level);
  arch::write_entry(*entry, leaf.with_accessed(true).with_dirty(true));
}

void find_groups(const boot::BootInfo& info, EarlyMemory& memory) {
  std::uint64_t highest = 0;
  for (const boot::MemoryRange& range : info.memory_map())
    if (is_ram(range.kind) && range.end() > highest) highest = range.end();
  std::uint64_t groups = base::divide_round_up<std::uint64_t>(highest >> page_shift, group_pages);
  memory_map_end = groups * group_pages;
  std::size_t words = base::align_up<std::uint64_t>(groups, groups_per_large) / 64;
  memory_map_presence = to_virtual<std::uint64_t>(memory.allocate(words * 8, page_size));
  for (const boot::MemoryRange& range : info.memory_map()) {
    if (!is_ram(range.kind) || range.size == 0) continue;
    std::uint64_t first = (range.start >> page_shift) / group_pages,
                  last = ((range.end() - 1) >> page_shift) / group_pages;
    for (std::uint64_t group = first; group <= last; ++group) mark_present(group);
  }
}

void map_descriptors(const boot::BootInfo& info, EarlyMemory& memory) {
  // SAFETY: boot reserved this range of the kernel half for the array.
  memory_map = reinterpret_cast<Page*>(info.page_array_base);
  std::uint64_t groups = memory_map_end / group_pages;
  for (std::uint64_t first = 0; first < groups; first += groups_per_large) {
    std::uint64_t end = first + groups_per_large < groups ? first + groups_per_large : groups;
    std::uint64_t present = 0;
    for (std::uint64_t group = first; group < end; ++group) present += is_present(group);
    std::uintptr_t address = info.page_array_base + first * page_size;
    constexpr std::size_t large_size = page_size * arch::entries_per_table;
    if (present >= groups_per_large * 3 / 4 && base::is_aligned<std::uintptr_t>(address, large_size)) {
      map_early(memory, address, memory.allocate(large_size, large_size), 1);
      for (std::uint64_t group = first; group < end; ++group) mark_present(group);
      continue;
    }
    for (std::uint64_t group = first; group < end; ++group)
      if (is_present(group))
        map_early(memory, info.page_array_base + group * page_size, memory.allocate(page_size, page_size), 0);
  }
}

// Descriptors were zeroed; those of pages that the allocator does not get are marked.
void mark_reserved(const EarlyMemory& memory) {
  auto ranges = memory.ranges();
  std::size_t at = 0;
  for (std::uint64_t group = 0; group < memory_map_end / group_pages; ++group) {
    if (!is_present(group)) continue;
    for (std::uint64_t number = group * group_pages; number < (group + 1) * group_pages; ++number) {
      std::uint64_t address = number << page_shift;
      while (at < ranges.size() && ranges[at].end <= address) ++at;
      if (at < ranges.size() && ranges[at].start <= address) {
        // Inside a free range: nothing to mark before its end.
        std::uint64_t end = ranges[at].end >> page_shift, group_end = (group + 1) * group_pages;
        number = (end < group_end ? end : group_end) - 1;
        continue;
      }
      memory_map[number].reset_flags(static_cast<std::uint32_t>(PageFlag::reserved), 0);
      memory_map[number].references.store(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace

void initialize_memory(const boot::BootInfo& info) {
  direct_map_base = info.direct_map_base;
  EarlyMemory memory(info);
  find_groups(info, memory);
  map_descriptors(info, memory);
  mark_reserved(memory);
  if constexpr (kasan_build) {
    std::uint64_t ram_bytes = memory_map_end << page_shift;
    kasan_initialize(to_virtual(memory.allocate(ram_bytes / 8, page_size)), ram_bytes);
  }
  for (unsigned i = 0; i < zone_count; ++i) {
    SpinGuard<PreemptOff> guard{zones[i].lock};
    zones[i].buddy.set_bounds(i ? zone_boundary : 0, i ? ~std::uint64_t{0} : zone_boundary);
  }
  for (auto& range : memory.ranges()) add_free_pages(range.start >> page_shift, range.end >> page_shift);
  set_watermarks();
  initialize_kernel_map(info.dynamic_map_start, info.dynamic_map_end);
  initialize_address_spaces();
  log(LogLevel::info, "memory: {} KiB for the allocator, descriptors for {} MiB",
      memory_statistics().total_pages * 4, memory_map_end >> (20 - page_shift));
}

void donate_memory(PhysicalAddress start, std::uint64_t size) {
  std::uint64_t first = base::align_up<std::uint64_t>(start.value(), page_size) >> page_shift;
  std::uint64_t end = (start.value() + size) >> page_shift;
  for (std::uint64_t number = first; number < end; ++number) {
    base::verify(descriptor_exists(number) && memory_map[number].has(PageFlag::reserved),
                 "donated memory is not ours");
    memory_map[number].reset_flags(0, 0);
    memory_map[number].references.store(0, std::memory_order_relaxed);
  }
  if (first < end) add_free_pages(first, end);
  set_watermarks();
}

PageRef adopt_boot_page(PhysicalAddress address) {
  Page& page = page_of(address);
  base::verify(page.has(PageFlag::reserved), "adopted page is not ours");
  page.reset_flags(0, 0);
  page.words[0] = page.words[1] = 0;
  page.map_count.store(0, std::memory_order_relaxed);
  page.detail.store(0, std::memory_order_relaxed);
  page.references.store(1, std::memory_order_release);
  count_adopted_page();
  return PageRef::adopt(&page);
}

}  // namespace core
