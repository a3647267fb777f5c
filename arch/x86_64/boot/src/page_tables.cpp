#include "page_tables.h"

#include <arch/cpu.h>
#include <arch/page_table.h>

#include "arch_common/kernel_map.h"
#include "boot/memory_map.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/smp.h"
#include "x86_64/tlb.h"

namespace arch {
namespace {

constexpr std::uintptr_t four_gigabytes = std::uintptr_t{4} << 30;

}  // namespace

PageTableEntry make_boot_leaf(std::uintptr_t physical, PageAttributes attributes, unsigned level) {
  auto leaf =
      PageTableEntry::make_leaf(physical, attributes, level).with_accessed(true).with_dirty(attributes.write);
  if (!cpu_features().no_execute) leaf = PageTableEntry::from_raw(leaf.raw() & ~(std::uint64_t{1} << 63));
  return leaf;
}

void build_kernel_page_tables(boot::BootInfo& info, bool randomise) {
  choose_kernel_layout(info, 273, 48, randomise ? random_seed() : 0);
  KernelMap map(info, four_gigabytes);

  // A page below 1 MiB and tables for CPUs that start later.
  TrampolineMemory trampoline;
  trampoline.page = boot::find_free(info, page_size, 0x9f000, page_size);
  if (trampoline.page) {
    boot::reserve_memory(info, trampoline.page, trampoline.page + page_size, boot::MemoryKind::boot_tables);
    trampoline.root = map.take_page();
    std::uintptr_t pointers = map.take_page(), directory = map.take_page();
    KernelMap::table_at(trampoline.root)[0] = PageTableEntry::make_table(pointers).raw();
    KernelMap::table_at(pointers)[0] = PageTableEntry::make_table(directory).raw();
    KernelMap::table_at(directory)[0] = PageTableEntry::make_leaf(0, {.write = true, .execute = true}, 1)
                                            .with_accessed(true)
                                            .with_dirty(true)
                                            .raw();
  }

  map.add_image();
  map.add_memory();
  map.prepare_regions();
  map.finish();
  set_kernel_root(map.root());
  set_trampoline_memory(trampoline);
  write_cr3(map.root());
  flush_tlb_all_local();
  enable_address_space_identifiers();
}

}  // namespace arch
