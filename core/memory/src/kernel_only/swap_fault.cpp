#include "swap_fault.h"

#include "swap_map.h"

namespace core {

// The page comes in read-only and stays in the swap cache, clean, so that it can leave again without being
// written; a write, or a device that fills up, takes it out of the cache.
FaultOutcome SwapFault::resolve(AddressSpace& space, Area& area, const EntryPlace& place, Entry seen,
                                FaultAccess access) {
  SwapEntry entry = SwapEntry::from_value(seen.software_payload());
  bool was_read = false;
  auto found = find_or_read_swap(entry, AllocationFlags::no_reclaim, &was_read);
  if (was_read) count_memory(MemoryCounter::major_faults, 1);
  // Somebody else resolved it, and nothing is left of the slot.
  if (!found && found.error() == Errno::eagain) return FaultOutcome::resolved;
  if (!found) return outcome_of(found.error());
  PageRef page = std::move(*found);
  TableLock guard(*place.table);
  if (arch::read_entry(place.entry).raw() != seen.raw()) return FaultOutcome::resolved;
  // Our entry keeps the slot; whether the page is (still) that of the slot, its word says.
  SwapDevice& device = device_of(entry);
  if (!SlotWord::is_of(device.word(entry.slot()).load(), *page)) return FaultOutcome::resolved;
  // This order: one of the two counts keeps the page in the cache meanwhile.
  page->map_count.fetch_add(1);
  device.word(entry.slot()).fetch_sub(SlotWord::one_reference);
  bool is_filling = device.used.load(std::memory_order_relaxed) > device.usable / 2;
  bool alone = false;
  if (access == FaultAccess::write || is_filling) alone = leave_swap_cache(*page);
  space.swapped_.fetch_sub(1, std::memory_order_relaxed);
  Mapper::add_resident(space, Mapper::Kind::anonymous, 1);
  arch::write_entry(place.entry, Mapper::make_entry(area, physical_of(*page), alone));
  (void)page.leak();
  return FaultOutcome::resolved;
}

}  // namespace core
