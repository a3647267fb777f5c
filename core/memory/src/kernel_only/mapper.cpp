#include "mapper.h"

#include "swap_map.h"

namespace core {

EntryPlace Mapper::find(const AddressSpace& space, std::uintptr_t address) {
  PhysicalAddress table = space.root_;
  for (unsigned level = arch::levels() - 1; level > 0; --level) {
    Entry value = arch::read_entry(table_of(table) + arch::table_index(address, level));
    if (value.is_empty()) return {};
    table = PhysicalAddress(value.physical(level));
  }
  return {table_of(table) + arch::table_index(address, 0), &page_of(table)};
}

Result<EntryPlace> Mapper::make(AddressSpace& space, std::uintptr_t address) {
  PhysicalAddress table = space.root_;
  for (unsigned level = arch::levels() - 1; level > 0; --level) {
    Entry* entry = table_of(table) + arch::table_index(address, level);
    Entry value = arch::read_entry(entry);
    if (value.is_empty()) {
      Page* page = TRY(allocate_pages(0, AllocationFlags::zero | AllocationFlags::user));
      page->set(PageFlag::table);
      Entry expected{};
      if (arch::compare_exchange_entry(entry, expected, Entry::make_table(physical_of(*page).value()))) {
        count_memory(MemoryCounter::page_tables, 1);
        space.table_pages_.fetch_add(1, std::memory_order_relaxed);
        table = physical_of(*page);
        continue;
      }
      // Another fault was quicker.
      release_page(*page);
      value = expected;
    }
    table = PhysicalAddress(value.physical(level));
  }
  return EntryPlace{table_of(table) + arch::table_index(address, 0), &page_of(table)};
}

arch::PageAttributes Mapper::attributes(Protection protection, bool writable) {
  bool any = protection != Protection::none;
  return {.read = any,
          .write = writable && includes(protection, Protection::write),
          .execute = includes(protection, Protection::execute),
          .user = true,
          .guarded = includes(protection, Protection::guarded)};
}

Entry Mapper::make_entry(const Area& area, PhysicalAddress frame, bool writable) {
  Entry entry =
      Entry::make_leaf(frame.value(), attributes(area.protection(), writable), 0).with_accessed(true);
  // The hardware need not set what is certain to be set at once.
  return writable ? entry.with_dirty(true) : entry;
}

Mapper::Kind Mapper::kind_of(const Page& page, const Area& area) {
  if (page.has(PageFlag::anonymous)) return Kind::anonymous;
  return area.object() && area.object()->is_shared_memory() ? Kind::shared_memory : Kind::file;
}

void Mapper::add_resident(AddressSpace& space, Kind kind, long pages) {
  // relaxed: statistics.
  space.resident_[static_cast<unsigned>(kind)].fetch_add(pages, std::memory_order_relaxed);
  count_memory(kind == Kind::anonymous ? MemoryCounter::anonymous : MemoryCounter::file_mapped, pages);
}

void Mapper::account_mapped(AddressSpace& space, Page& page, Kind kind) {
  page.map_count.fetch_add(1, std::memory_order_relaxed);
  add_resident(space, kind, 1);
}

void Mapper::account_unmapped(AddressSpace& space, Page& page, Kind kind) {
  page.map_count.fetch_sub(1, std::memory_order_relaxed);
  if (kind == Kind::anonymous && page.has(in_swap_cache)) swap_page_unmapped(page);
  add_resident(space, kind, -1);
}

}  // namespace core
