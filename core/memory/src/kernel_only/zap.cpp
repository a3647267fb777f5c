// Taking entries and tables away.
#include "mapper.h"
#include "swap_map.h"

namespace core {
namespace {

// How many pages of each kind went, counted once per run of entries.
using Counts = long[3];

void zap_entry(Area& area, Entry old, std::uintptr_t address, TlbBatch& batch, Counts& counts) {
  if (is_special(old)) return;
  Page& page = page_of_entry(old);
  Mapper::Kind kind = Mapper::kind_of(page, area);
  Page& head = *page.head();
  if (kind != Mapper::Kind::anonymous) {
    if (old.accessed() && !head.has(PageFlag::referenced)) head.set(PageFlag::referenced);
    if (area.is_shared() && old.dirty()) area.object()->page_dirtied(page, area.index_of(address));
  }
  // relaxed: a statistic; the reference is what keeps the page.
  head.map_count.fetch_sub(1, std::memory_order_relaxed);
  if (kind == Mapper::Kind::anonymous && head.has(in_swap_cache)) swap_page_unmapped(head);
  ++counts[static_cast<unsigned>(kind)];
  batch.add(page);
}

}  // namespace

void Mapper::zap(AddressSpace& space, Area& area, std::uintptr_t start, std::uintptr_t end, TlbBatch& batch,
                 MemoryObject::PrivateCopies copies, ZapSide side) {
  bool keep_private = copies == MemoryObject::PrivateCopies::keep;
  Counts counts = {};
  for_each_run(space, start, end, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
    for (unsigned done = 0; done < count;) {
      // A fault that writes an entry at this moment must be waited for by the object's side, which only made
      // sure that no later one succeeds; from the other side faults are kept out or may win.
      if (side == ZapSide::address_space && arch::read_entry(place.entry + done).is_empty()) {
        ++done;
        continue;
      }
      if (batch.full()) batch.flush();
      TableLock guard(*place.table);
      for (unsigned held = 0; done < count && held < entries_per_hold && !batch.full(); ++done, ++held) {
        Entry* entry = place.entry + done;
        Entry old = arch::read_entry(entry);
        if (old.is_empty()) continue;
        if (keep_private &&
            (old.is_software() || (!is_special(old) && page_of_entry(old).has(PageFlag::anonymous))))
          continue;
        // Atomic: the hardware may be setting the dirty bit.
        old = arch::exchange_entry(entry, Entry{});
        if (old.is_software()) {
          release_swap(SwapEntry::from_value(old.software_payload()));
          space.swapped_.fetch_sub(1, std::memory_order_relaxed);
          continue;
        }
        std::uintptr_t at = address + (std::uintptr_t{done} << page_shift);
        batch.note(at, at + page_size);
        if (old.is_present()) zap_entry(area, old, at, batch, counts);
      }
    }
  });
  for (unsigned kind = 0; kind < 3; ++kind)
    if (counts[kind]) add_resident(space, static_cast<Kind>(kind), -counts[kind]);
}

namespace {

struct TableRange {
  std::uintptr_t start, end, floor, ceiling;
};

void free_level(PhysicalAddress table, unsigned level, const TableRange& range, TlbBatch& batch,
                long& freed) {
  std::uintptr_t span = std::uintptr_t{1} << (arch::page_shift + arch::bits_per_level * level);
  std::uintptr_t at = base::align_down(range.start, span);
  do {
    Entry* entry = Mapper::table_of(table) + arch::table_index(at, level);
    Entry value = arch::read_entry(entry);
    std::uintptr_t child_end = at + span;
    if (!value.is_empty()) {
      PhysicalAddress child(value.physical(level));
      if (level > 1) {
        TableRange inner = range;
        if (inner.start < at) inner.start = at;
        if (inner.end > child_end) inner.end = child_end;
        free_level(child, level - 1, inner, batch, freed);
      }
      if (at >= range.floor && child_end - 1 <= range.ceiling - 1) {
        arch::write_entry(entry, Entry{});
        Page& page = page_of(child);
        page.clear(PageFlag::table);
        if (batch.full()) batch.flush();
        // CPUs cache the upper levels too.
        batch.note(at, child_end);
        batch.add(page);
        ++freed;
      }
    }
    at = child_end;
  } while (at < range.end && at != 0);
}

}  // namespace

void Mapper::free_tables(AddressSpace& space, std::uintptr_t start, std::uintptr_t end, std::uintptr_t floor,
                         std::uintptr_t ceiling, TlbBatch& batch) {
  if (start >= end) return;
  long freed = 0;
  std::uintptr_t table_span = std::uintptr_t{1} << (arch::page_shift + arch::bits_per_level);
  std::uintptr_t first_table = base::align_down(start, table_span);
  // The usual small mapping in a table shared with neighbours.
  if (first_table == base::align_down(end - 1, table_span) &&
      (first_table < floor || first_table + table_span - 1 > ceiling - 1))
    return;
  free_level(space.root_, arch::levels() - 1, {start, end, floor, ceiling}, batch, freed);
  if (freed) {
    count_memory(MemoryCounter::page_tables, -freed);
    space.table_pages_.fetch_sub(freed, std::memory_order_relaxed);
  }
}

}  // namespace core
