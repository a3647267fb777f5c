// The kernel's own page tables, made once at boot: the image with the rights of each segment, all memory in
// the direct map, and the tables of the regions that core/memory fills later.
//
//   KernelMap map(info, limit);
//   map.add_image(); map.add_memory(); map.prepare_regions();
//   map.finish(); activate(map.root());
//
// Boot CPU alone, before there are allocators.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/page_table.h>

#include "boot/boot_info.h"

namespace arch {

// The architecture's: an entry for memory of the kernel, complete, so that no processor has to write to it.
PageTableEntry make_boot_leaf(std::uintptr_t physical, PageAttributes attributes, unsigned level);

class KernelMap {
 public:
  // Tables are taken from memory below `limit`, all of which is mapped one to one now.
  KernelMap(boot::BootInfo& info, std::uintptr_t limit);

  std::uintptr_t root() const { return root_; }
  // A zeroed page that stays.
  std::uintptr_t take_page();
  static std::uint64_t* table_at(std::uintptr_t physical);
  void map(std::uintptr_t address, std::uintptr_t physical, std::size_t size, PageAttributes attributes);

  void add_image();
  // All RAM, never executable; the image's constant part is read-only here too.
  void add_memory();
  // The second level of the regions for pages' descriptors and for dynamic mappings: made now, so that all
  // address spaces share it.
  void prepare_regions();
  // What was reserved for tables and not needed goes back.
  void finish();

 private:
  // The entry at `level` that translates `address`; makes the tables that are missing.
  std::uint64_t* entry_for(std::uintptr_t address, unsigned level);

  boot::BootInfo& info_;
  const std::uintptr_t limit_;
  std::uintptr_t root_ = 0;
  std::uintptr_t chunk_ = 0;
  std::size_t chunk_left_ = 0;
};

// Where the kernel's regions lie. Address of the first byte behind all RAM:
std::uintptr_t end_of_memory(const boot::BootInfo& info);
// For roots of 512 entries of 512 GiB: each region has entries of its own, one after the other from one of
// `choices` entries behind `first_entry`, with random gaps (none if `random` is 0).
void choose_kernel_layout(boot::BootInfo& info, unsigned first_entry, unsigned choices, std::uint64_t random);

[[noreturn]] void no_memory_to_start();

}  // namespace arch
