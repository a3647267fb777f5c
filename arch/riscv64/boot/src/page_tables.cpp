#include "page_tables.h"

#include <arch/cpu.h>
#include <arch/page_table.h>

#include "arch_common/kernel_map.h"
#include "base/bits.h"
#include "riscv64/registers.h"
#include "riscv64/tlb.h"

namespace arch {
namespace {

// What the boot page tables map one to one.
constexpr std::uintptr_t mapped_memory = std::uintptr_t{256} << 30;
// The image has the top 2 GiB: the last two entries of a root of three levels.
constexpr std::uintptr_t image_region = 0xffffffff80000000;

std::uintptr_t root_span() { return page_size << (bits_per_level * (levels() - 1)); }

// Regions of whole root entries, one after the other, with random gaps. An entry is 1 GiB with three levels,
// where the kernel's half has 256 of them; 512 GiB or more with others.
void choose_layout(boot::BootInfo& info, std::uint64_t random) {
  std::uintptr_t span = root_span();
  auto entries_for = [span](std::uintptr_t size) { return (size + span - 1) / span; };
  std::uintptr_t memory = base::align_up(end_of_memory(info), base::GiB);
  bool small = levels() == 3;
  // The direct map begins anywhere in its first entry, in steps of 1 GiB.
  std::uintptr_t memory_entries = entries_for(memory) + (small ? 0 : 1);
  std::uintptr_t array_entries = entries_for(memory / page_size * 32 + base::GiB);
  std::uintptr_t dynamic_entries = small ? 16 : 1;
  std::uintptr_t first = kernel_root_first_index(), last = table_index(image_region, levels() - 1);
  std::uintptr_t needed = memory_entries + array_entries + dynamic_entries;
  if (needed > last - first) no_memory_to_start();
  std::uintptr_t gap = (last - first - needed) / 3;
  auto take_random = [&random](std::uintptr_t limit) {
    if (!limit) return std::uintptr_t{0};
    std::uintptr_t value = random % limit;
    random /= limit;
    return value;
  };
  std::uintptr_t half = ~std::uintptr_t{0} << (page_shift + bits_per_level * levels() - 1);
  auto address = [&](std::uintptr_t slot) { return half + (slot - first) * span; };
  std::uintptr_t slot = first + take_random(gap);
  info.direct_map_base = address(slot);
  if (!small) info.direct_map_base += take_random((span - 1) / base::GiB + 1 < 128 ? 1 : 128) * base::GiB;
  info.direct_map_end = info.direct_map_base + memory;
  slot += memory_entries + take_random(gap);
  info.page_array_base = address(slot);
  info.page_array_end = address(slot + array_entries);
  slot += array_entries + take_random(gap);
  info.dynamic_map_start = address(slot);
  if (!small) info.dynamic_map_start += take_random(256) * 2 * base::MiB;
  info.dynamic_map_end = address(slot + dynamic_entries);
}

}  // namespace

PageTableEntry make_boot_leaf(std::uintptr_t physical, PageAttributes attributes, unsigned level) {
  return PageTableEntry::make_leaf(physical, attributes, level)
      .with_accessed(true)
      .with_dirty(attributes.write);
}

void build_kernel_page_tables(boot::BootInfo& info, std::uint64_t random) {
  choose_layout(info, random);
  KernelMap map(info, mapped_memory);
  map.add_image();
  map.add_memory();
  map.prepare_regions();
  map.finish();
  set_kernel_root(map.root());
  write_satp(satp_for(map.root()));
  flush_tlb_all_local();
}

}  // namespace arch
