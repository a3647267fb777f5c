// Page faults: making one entry right.
#include <arch/page_table.h>

#include <cstring>

#include "core/sync/rcu.h"
#include "mapper.h"
#include "swap_fault.h"
#include "swap_map.h"

namespace core {
namespace {

using Kind = Mapper::Kind;

// How many pages around a fault are mapped if the cache has them.
constexpr std::uintptr_t around_size = 16 * page_size;

// Puts a page nobody else knows yet into an empty entry, or where `expected` still stands. Consumes the
// reference on success.
bool install_fresh(AddressSpace& space, const Area& area, const EntryPlace& place, Entry expected,
                   PageRef& page, bool writable) {
  TableLock guard(*place.table);
  if (arch::read_entry(place.entry).raw() != expected.raw()) return false;
  Page* owned = page.leak();
  owned->map_count.store(1, std::memory_order_relaxed);
  arch::write_entry(place.entry, Mapper::make_entry(area, physical_of(*owned), writable));
  Mapper::add_resident(space, Kind::anonymous, 1);
  return true;
}

Result<PageRef> fresh_anonymous(AllocationFlags flags) {
  // Who called for the fault makes room, without the lock of the address space: see Mapper::fault_in().
  PageRef page = TRY(allocate_page(flags | AllocationFlags::user | AllocationFlags::no_reclaim));
  page->reset_flags(
      static_cast<std::uint32_t>(PageFlag::anonymous) | static_cast<std::uint32_t>(PageFlag::swap_backed), 0);
  return page;
}

FaultOutcome map_zero_page(const Area& area, const EntryPlace& place) {
  TableLock guard(*place.table);
  if (!arch::read_entry(place.entry).is_empty()) return FaultOutcome::resolved;
  Entry entry = Mapper::make_entry(area, physical_of(*zero_page), false).with_software_bit(special_bit, true);
  arch::write_entry(place.entry, entry);
  return FaultOutcome::resolved;
}

FaultOutcome fault_anonymous(AddressSpace& space, Area& area, const EntryPlace& place, FaultAccess access) {
  if (access != FaultAccess::write) return map_zero_page(area, place);
  auto page = fresh_anonymous(AllocationFlags::zero);
  if (!page) return outcome_of(page.error());
  install_fresh(space, area, place, Entry{}, *page, true);
  return FaultOutcome::resolved;
}

// The old page is replaced by a private copy. The caller holds a reference to it (none for the zero page).
FaultOutcome copy_page(AddressSpace& space, Area& area, const EntryPlace& place, std::uintptr_t address,
                       Entry seen, PageRef old) {
  auto page = fresh_anonymous(old ? AllocationFlags::none : AllocationFlags::zero);
  if (!page) return outcome_of(page.error());
  if (old) std::memcpy(page->data(), old.data(), page_size);
  Kind old_kind = old ? Mapper::kind_of(*old, area) : Kind::anonymous;
  if (!install_fresh(space, area, place, seen, *page, true)) return FaultOutcome::resolved;
  // Other CPUs may still read the old page through their TLBs.
  TlbBatch::flush_range(space, address, address + page_size);
  if (old) {
    Mapper::account_unmapped(space, *old->head(), old_kind);
    release_page(*old);  // the entry's reference; `old` has its own
  }
  return FaultOutcome::resolved;
}

FaultOutcome write_private(AddressSpace& space, Area& area, const EntryPlace& place, std::uintptr_t address,
                           Entry seen) {
  PageRef old;
  {
    TableLock guard(*place.table);
    Entry entry = arch::read_entry(place.entry);
    if (entry.raw() != seen.raw()) return FaultOutcome::resolved;
    if (!is_special(entry)) {
      Page& page = page_of_entry(entry);
      // Ours alone: nobody can get a reference except through this entry, whose lock we hold.
      if (page.has(PageFlag::anonymous) && page.has(in_swap_cache)) (void)leave_swap_cache(page);
      if (page.has(PageFlag::anonymous) && page.reference_count() == 1) {
        arch::write_entry(place.entry, Mapper::make_entry(area, frame_of(entry), true));
        return FaultOutcome::resolved;
      }
      old = PageRef::share(page);
    } else if (frame_of(entry) != physical_of(*zero_page)) {
      return FaultOutcome::bus_error;  // a private copy of device memory makes no sense
    }
  }
  area.set_has_anonymous();
  return copy_page(space, area, place, address, seen, std::move(old));
}

FaultOutcome write_shared(Area& area, const EntryPlace& place, std::uintptr_t address, Entry seen) {
  MemoryObject& object = *area.object();
  PageRef page;
  if (!is_special(seen) && object.tracks_writes()) {
    {
      TableLock guard(*place.table);
      if (arch::read_entry(place.entry).raw() != seen.raw()) return FaultOutcome::resolved;
      page = PageRef::share(page_of_entry(seen));
    }
    if (auto done = object.make_writable(*page, area.index_of(address)); !done)
      return outcome_of(done.error());
  }
  TableLock guard(*place.table);
  Entry entry = arch::read_entry(place.entry);
  if (entry.raw() != seen.raw()) return FaultOutcome::resolved;
  arch::write_entry(place.entry, entry.with_attributes(Mapper::attributes(area.protection(), true))
                                     .with_dirty(true)
                                     .with_accessed(true));
  return FaultOutcome::resolved;
}

// Read faults: what the cache has around the address, in the same table.
void map_around(AddressSpace& space, Area& area, const EntryPlace& place, std::uintptr_t address) {
  std::uintptr_t start = base::align_down(address, around_size), end = start + around_size;
  if (start < area.start()) start = area.start();
  if (end > area.end()) end = area.end();
  Entry* first_entry = place.entry - ((address - start) >> page_shift);
  std::uint64_t first = area.index_of(start), last = area.index_of(end - page_size);
  bool writable = area.is_shared() && !area.object()->tracks_writes();
  Kind kind = area.object()->is_shared_memory() ? Kind::shared_memory : Kind::file;
  long mapped = 0;
  {
    TableLock guard(*place.table);
    RcuReadGuard reading;
    area.object()->map_around(first, last, [&](std::uint64_t index, Page& page) {
      if (index < first || index > last) return true;
      Entry* entry = first_entry + (index - first);
      if (!arch::read_entry(entry).is_empty() || !page.head()->try_acquire()) return true;
      page.head()->map_count.fetch_add(1, std::memory_order_relaxed);
      Entry value = Mapper::make_entry(area, physical_of(page), writable).with_dirty(false);
      // Pages beside the one that was asked for have not been used yet.
      arch::write_entry(entry, value.with_accessed(entry == place.entry));
      ++mapped;
      return true;
    });
  }
  if (mapped) Mapper::add_resident(space, kind, mapped);
}

FaultOutcome fault_special(Area& area, const EntryPlace& place, std::uintptr_t address) {
  auto frame = area.object()->frame_for(area.index_of(address));
  if (!frame) return outcome_of(frame.error());
  TableLock guard(*place.table);
  if (!arch::read_entry(place.entry).is_empty()) return FaultOutcome::resolved;
  arch::PageAttributes attributes = Mapper::attributes(area.protection(), area.is_shared());
  if (frame->uncached) attributes.cache = arch::CacheType::uncached;
  if (frame->write_combining) attributes.cache = arch::CacheType::write_combining;
  Entry entry = Entry::make_leaf(frame->address.value(), attributes, 0)
                    .with_accessed(true)
                    .with_dirty(attributes.write);
  arch::write_entry(place.entry, entry.with_software_bit(special_bit, true));
  return FaultOutcome::resolved;
}

}  // namespace

// A page of an object into an empty entry.
FaultOutcome Mapper::fault_object(AddressSpace& space, Area& area, const EntryPlace& place,
                                  std::uintptr_t address, FaultAccess access) {
  MemoryObject& object = *area.object();
  if (object.is_special()) return fault_special(area, place, address);
  std::uint64_t index = area.index_of(address);
  bool write = access == FaultAccess::write, shared = area.is_shared();
  if (!write) {
    map_around(space, area, place, address);
    if (!arch::read_entry(place.entry).is_empty()) return FaultOutcome::resolved;
  }
  // acquire, and a full barrier by the compare-exchange of a new table: see MemoryObject::unmap_range().
  std::uint32_t invalidations = object.invalidations_.load();
  auto found = object.page_for(index, write && shared ? FaultAccess::write : FaultAccess::read);
  if (!found) return outcome_of(found.error());
  PageRef page = std::move(*found);
  if (write && !shared) {
    auto copy = fresh_anonymous(AllocationFlags::none);
    if (!copy) return outcome_of(copy.error());
    std::memcpy(copy->data(), page.data(), page_size);
    area.set_has_anonymous();
    TableLock guard(*place.table);
    if (object.invalidations_.load() != invalidations || !arch::read_entry(place.entry).is_empty())
      return FaultOutcome::resolved;
    Page* owned = copy->leak();
    owned->map_count.store(1, std::memory_order_relaxed);
    arch::write_entry(place.entry, make_entry(area, physical_of(*owned), true));
    add_resident(space, Kind::anonymous, 1);
    return FaultOutcome::resolved;
  }
  bool writable = shared && (write || !object.tracks_writes());
  if (write && object.tracks_writes())
    if (auto done = object.make_writable(*page, index); !done) return outcome_of(done.error());
  TableLock guard(*place.table);
  if (object.invalidations_.load() != invalidations || !arch::read_entry(place.entry).is_empty())
    return FaultOutcome::resolved;
  account_mapped(space, *page->head(), kind_of(*page, area));
  // Writable without a write (tmpfs): the hardware tells when it comes.
  arch::write_entry(place.entry, make_entry(area, physical_of(*page), writable).with_dirty(write));
  (void)page.leak();
  return FaultOutcome::resolved;
}

FaultOutcome Mapper::fault_in(AddressSpace& space, Area& area, std::uintptr_t address, FaultAccess access,
                              bool force) {
  auto place = make(space, address);
  if (!place) return FaultOutcome::out_of_memory;
  Entry seen = arch::read_entry(place->entry);
  if (area.monitor() && monitored(area, seen, address, access) != MonitoredFault::none)
    return FaultOutcome::monitored;
  if (seen.is_empty()) {
    if (!area.object()) {
      if (access == FaultAccess::write) area.set_has_anonymous();
      return fault_anonymous(space, area, *place, access);
    }
    return fault_object(space, area, *place, address, access);
  }
  if (seen.is_software()) return SwapFault::resolve(space, area, *place, seen, access);
  if (access == FaultAccess::write && !seen.writable()) {
    if (!area.is_shared()) return write_private(space, area, *place, address, seen);
    if (!force || includes(area.protection(), Protection::write))
      return write_shared(area, *place, address, seen);
    return FaultOutcome::no_access;
  }
  // Somebody else resolved it; where software keeps the bits, this is how they get set.
  if (!seen.accessed() || (access == FaultAccess::write && !seen.dirty())) {
    TableLock guard(*place->table);
    Entry entry = arch::read_entry(place->entry);
    if (entry.raw() == seen.raw())
      arch::write_entry(place->entry,
                        entry.with_accessed(true).with_dirty(entry.dirty() || access == FaultAccess::write));
  }
  return FaultOutcome::resolved;
}

}  // namespace core
