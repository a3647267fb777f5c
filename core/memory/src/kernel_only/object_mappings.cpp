// From an object to everybody who maps it.
#include "mapper.h"

namespace core {
namespace {

// Calls visit(area, start, end) with the addresses at which each area maps [first, last].
template <typename Visit>
void for_each_mapping(base::ListHook& head, std::uint64_t first, std::uint64_t last, Visit&& visit,
                      base::ListHook Area::* hook) {
  if (!head.next) return;
  for (base::ListHook* at = head.next; at != &head; at = at->next) {
    Area& area = *base::container_of(at, hook);
    std::uint64_t area_first = area.first_index(), area_last = area_first + (area.size() >> page_shift) - 1;
    if (area_last < first || area_first > last) continue;
    std::uint64_t from = first > area_first ? first - area_first : 0;
    std::uint64_t to = (last < area_last ? last : area_last) - area_first;
    visit(area, area.start() + (from << page_shift), area.start() + ((to + 1) << page_shift));
  }
}

}  // namespace

void MemoryObject::unmap_range(std::uint64_t first, std::uint64_t last, PrivateCopies copies) {
  // Full barrier: the caller's change (pages gone from the cache) is visible before any table is read; a
  // fault writes its table before it reads this counter. So either it sees the new count, or we see its
  // table.
  invalidations_.fetch_add(1);
  if (mapping_count_.load() == 0) return;
  MutexGuard guard{mappings_lock_};
  for_each_mapping(
      mappings_, first, last,
      [&](Area& area, std::uintptr_t start, std::uintptr_t end) {
        TlbBatch batch(area.space());
        Mapper::zap(area.space(), area, start, end, batch, copies, Mapper::ZapSide::object);
      },
      &Area::mapping_hook_);
}

bool MemoryObject::write_protect_page(Page& page, std::uint64_t index) {
  if (mapping_count_.load() == 0) return false;
  bool dirty = false;
  MutexGuard guard{mappings_lock_};
  for_each_mapping(
      mappings_, index, index,
      [&](Area& area, std::uintptr_t start, std::uintptr_t end) {
        if (!area.is_shared()) return;
        EntryPlace place = Mapper::find(area.space(), start);
        if (!place) return;
        TlbBatch batch(area.space());
        TableLock lock(*place.table);
        Entry entry = arch::read_entry(place.entry);
        if (!entry.is_present() || core::is_special(entry) || &page_of_entry(entry) != &page) return;
        if (!entry.writable() && !entry.dirty()) return;
        while (!arch::compare_exchange_entry(place.entry, entry, entry.with_write(false).with_dirty(false))) {
        }
        dirty |= entry.dirty();
        batch.note(start, end);
      },
      &Area::mapping_hook_);
  return dirty;
}

bool MemoryObject::test_and_clear_accessed(std::uint64_t index) {
  if (mapping_count_.load() == 0) return false;
  bool accessed = false;
  MutexGuard guard{mappings_lock_};
  for_each_mapping(
      mappings_, index, index,
      [&](Area& area, std::uintptr_t start, std::uintptr_t) {
        EntryPlace place = Mapper::find(area.space(), start);
        if (!place) return;
        TableLock lock(*place.table);
        Entry entry = arch::read_entry(place.entry);
        // No flush: a translation that a TLB keeps only makes the page look unused for a little longer.
        while (entry.is_present() && entry.accessed() && !core::is_special(entry)) {
          if (!arch::compare_exchange_entry(place.entry, entry, entry.with_accessed(false))) continue;
          accessed = true;
          break;
        }
      },
      &Area::mapping_hook_);
  return accessed;
}

}  // namespace core
