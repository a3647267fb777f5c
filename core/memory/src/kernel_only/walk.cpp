// Looking at an address space: /proc/PID/maps, smaps, pagemap, status.
#include "mapper.h"
#include "swap_map.h"

namespace core {

void AddressSpace::for_each_area(UserAddress from, base::FunctionRef<Iteration(const Area&)> visit) {
  ReadGuard guard{lock_};
  for (Area* area = areas_.find_from(from.value()); area; area = areas_.next(*area))
    if (visit(*area) == Iteration::stop) return;
}

AreaUsage AddressSpace::area_usage(const Area& area) {
  AreaUsage usage;
  Mapper::for_each_run(
      *this, area.start(), area.end(), [&](EntryPlace place, std::uintptr_t, unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
          Entry quick = arch::read_entry(place.entry + i);
          if (quick.is_empty() || (quick.is_present() && is_special(quick))) continue;
          // The lock keeps the page from going while it is looked at.
          TableLock guard(*place.table);
          Entry entry = arch::read_entry(place.entry + i);
          if (entry.is_software()) {
            std::uint32_t shared_by = swap_references(SwapEntry::from_value(entry.software_payload()));
            usage.swap += page_size;
            usage.swap_proportional += page_size / (shared_by ? shared_by : 1);
            continue;
          }
          if (!entry.is_present() || is_special(entry)) continue;
          Page& page = *page_of_entry(entry).head();
          auto mappings = static_cast<std::uint64_t>(page.map_count.load(std::memory_order_relaxed));
          bool dirty = entry.dirty() || page.has(PageFlag::dirty), anonymous = page.has(PageFlag::anonymous);
          usage.resident += page_size;
          usage.proportional += page_size / (mappings ? mappings : 1);
          if (mappings > 1)
            (dirty ? usage.shared_dirty : usage.shared_clean) += page_size;
          else
            (dirty ? usage.private_dirty : usage.private_clean) += page_size;
          if (entry.accessed() || page.has(PageFlag::referenced)) usage.referenced += page_size;
          if (anonymous) usage.anonymous += page_size;
          if (area.has(AreaFlag::locked)) usage.locked += page_size / (mappings ? mappings : 1);
        }
      });
  return usage;
}

void AddressSpace::page_states(UserAddress first, std::span<PageState> states) {
  for (PageState& state : states) state = {};
  std::uintptr_t start = first.value();
  Mapper::for_each_run(*this, start, start + states.size() * page_size,
                       [&](EntryPlace place, std::uintptr_t address, unsigned count) {
                         for (unsigned i = 0; i < count; ++i) {
                           TableLock guard(*place.table);
                           Entry entry = arch::read_entry(place.entry + i);
                           PageState& state = states[((address - start) >> page_shift) + i];
                           if (entry.is_software()) {
                             state.swapped = true;
                             state.swap_value = entry.software_payload();
                           }
                           if (!entry.is_present()) continue;
                           state.present = true;
                           state.address = frame_of(entry);
                           state.dirty = entry.dirty();
                           state.accessed = entry.accessed();
                           state.writable = entry.writable();
                           if (is_special(entry)) {
                             state.zero_page = frame_of(entry) == physical_of(*zero_page);
                             continue;
                           }
                           Page& page = *page_of_entry(entry).head();
                           state.anonymous = page.has(PageFlag::anonymous);
                           state.map_count =
                               static_cast<std::uint32_t>(page.map_count.load(std::memory_order_relaxed));
                         }
                       });
}

void AddressSpace::clear_references(bool soft_dirty_only) {
  if (soft_dirty_only) return;  // the soft-dirty bit is not kept: pagemap reports it as never set
  ReadGuard guard{lock_};
  TlbBatch batch(*this);
  Area* first = areas_.first();
  Area* last = areas_.last();
  if (!first) return;
  Mapper::for_each_run(
      *this, first->start_, last->end_, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
          Entry entry = arch::read_entry(place.entry + i);
          if (!entry.is_present() || !entry.accessed()) continue;
          TableLock lock(*place.table);
          entry = arch::read_entry(place.entry + i);
          while (entry.is_present() &&
                 !arch::compare_exchange_entry(place.entry + i, entry, entry.with_accessed(false))) {
          }
          if (entry.is_present() && !is_special(entry))
            page_of_entry(entry).head()->clear(PageFlag::referenced);
          std::uintptr_t at = address + (std::uintptr_t{i} << page_shift);
          batch.note(at, at + page_size);
        }
      });
}

AddressSpaceUsage AddressSpace::usage() const {
  auto pages = [](const std::atomic<long>& counter) {
    // relaxed: statistics; may be briefly negative while counted on two CPUs.
    long value = counter.load(std::memory_order_relaxed);
    return static_cast<std::uint64_t>(value > 0 ? value : 0);
  };
  AddressSpaceUsage usage{};
  ReadGuard guard{lock_};
  usage.total = total_pages_;
  usage.total_peak = total_peak_;
  usage.anonymous = pages(resident_[0]);
  usage.file = pages(resident_[1]);
  usage.shared_memory = pages(resident_[2]);
  usage.swapped = pages(swapped_);
  usage.locked = locked_pages_;
  usage.data = data_pages_;
  usage.stack = stack_pages_;
  usage.executable = executable_pages_;
  usage.page_tables = pages(table_pages_);
  // The peak is brought up to date where it is read and where much memory goes.
  note_resident_peak();
  usage.resident_peak = pages(resident_peak_);
  return usage;
}

void AddressSpace::note_resident_peak() const {
  long now = 0;
  for (auto& counter : resident_) now += counter.load(std::memory_order_relaxed);
  long peak = resident_peak_.load(std::memory_order_relaxed);
  while (now > peak && !resident_peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

void AddressSpace::reset_resident_peak() {
  resident_peak_.store(0, std::memory_order_relaxed);
  note_resident_peak();
}

}  // namespace core
