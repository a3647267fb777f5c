#include "kernel_tables.h"

#include <cstring>

namespace core {

Result<PhysicalAddress> allocate_kernel_table() {
  Page* page = TRY(allocate_pages(0, AllocationFlags::zero | AllocationFlags::no_injection));
  page->set(PageFlag::table);
  count_memory(MemoryCounter::page_tables, 1);
  return physical_of(*page);
}

namespace {

PhysicalAddress child_of(arch::PageTableEntry entry, unsigned level) {
  return PhysicalAddress(entry.physical(level));
}

// Puts a table into an empty entry, or uses the one that somebody else put there first.
Result<PhysicalAddress> ensure_table(arch::PageTableEntry* entry, unsigned level, TableSource source) {
  arch::PageTableEntry value = arch::read_entry(entry);
  if (value.is_empty()) {
    PhysicalAddress table = TRY(source());
    arch::PageTableEntry expected{};
    if (arch::compare_exchange_entry(entry, expected, arch::PageTableEntry::make_table(table.value())))
      return table;
    release_page(page_of(table));
    count_memory(MemoryCounter::page_tables, -1);
    value = expected;
  }
  if (value.is_leaf(level)) return error(Errno::eexist);
  return child_of(value, level);
}

}  // namespace

Result<arch::PageTableEntry*> make_kernel_entry(std::uintptr_t address, unsigned level, TableSource source) {
  PhysicalAddress table(arch::kernel_root());
  for (unsigned at = arch::levels() - 1; at > level; --at)
    table = TRY(ensure_table(table_at(table) + arch::table_index(address, at), at, source));
  return table_at(table) + arch::table_index(address, level);
}

arch::PageTableEntry* find_kernel_entry(std::uintptr_t address, unsigned& level) {
  PhysicalAddress table(arch::kernel_root());
  for (level = arch::levels() - 1;; --level) {
    arch::PageTableEntry* entry = table_at(table) + arch::table_index(address, level);
    arch::PageTableEntry value = arch::read_entry(entry);
    if (level == 0 || value.is_empty() || value.is_leaf(level)) return entry;
    table = child_of(value, level);
  }
}

Result<void> split_kernel_leaf(arch::PageTableEntry* entry, unsigned level) {
  arch::PageTableEntry value = arch::read_entry(entry);
  PhysicalAddress table = TRY(allocate_kernel_table());
  std::uintptr_t step = std::uintptr_t{1} << (arch::page_shift + arch::bits_per_level * (level - 1));
  for (unsigned i = 0; i < arch::entries_per_table; ++i) {
    auto leaf =
        arch::PageTableEntry::make_leaf(value.physical(level) + i * step, value.attributes(level), level - 1);
    arch::write_entry(table_at(table) + i, leaf.with_accessed(true).with_dirty(value.writable()));
  }
  arch::write_entry(entry, arch::PageTableEntry::make_table(table.value()));
  return {};
}

}  // namespace core
