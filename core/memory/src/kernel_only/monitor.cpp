// Ranges with a monitor: which faults are its own, and the pages it answers with.
#include <cstring>

#include "area_internal.h"
#include "core/sync/blocking.h"
#include "mapper.h"
#include "reclaim.h"

namespace core {
namespace {

std::uint32_t bit(AreaFlag flag) { return static_cast<std::uint32_t>(flag); }

constexpr std::uint32_t monitor_flags = static_cast<std::uint32_t>(AreaFlag::monitor_missing) |
                                        static_cast<std::uint32_t>(AreaFlag::monitor_write) |
                                        static_cast<std::uint32_t>(AreaFlag::monitor_minor);

bool is_shared_memory(const Area& area) {
  return area.is_shared() && area.object() && area.object()->is_shared_memory() &&
         !area.has(AreaFlag::special);
}
bool is_private_memory(const Area& area) {
  return !area.object() && !area.is_shared() && !area.has(AreaFlag::special);
}

// The first page of the range that lies on a swap device, or its end.
std::uintptr_t find_swapped(AddressSpace& space, std::uintptr_t start, std::uintptr_t end) {
  std::uintptr_t found = end;
  Mapper::for_each_run(space, start, end, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
    for (unsigned i = 0; i < count && found == end; ++i)
      if (arch::read_entry(place.entry + i).is_software())
        found = address + (std::uintptr_t{i} << page_shift);
  });
  return found;
}

// Sets or takes away the mark of the monitor on what is mapped, and with it the permission to write.
void mark_entries(AddressSpace& space, std::uintptr_t start, std::uintptr_t end, bool guard) {
  TlbBatch batch(space);
  Mapper::for_each_run(space, start, end, [&](EntryPlace place, std::uintptr_t address, unsigned count) {
    for (unsigned done = 0; done < count;) {
      TableLock lock(*place.table);
      for (unsigned held = 0; done < count && held < entries_per_hold; ++done, ++held) {
        Entry* entry = place.entry + done;
        Entry seen = arch::read_entry(entry);
        if (!seen.is_present() || (!guard && !seen.software_bit(guarded_bit))) continue;
        // Permission comes back with the next fault.
        auto marked = [&] { return seen.with_write(false).with_software_bit(guarded_bit, guard); };
        while (!arch::compare_exchange_entry(entry, seen, marked())) {
        }
        std::uintptr_t at = address + (std::uintptr_t{done} << page_shift);
        batch.note(at, at + page_size);
      }
    }
  });
}

Errno errno_of(FaultOutcome outcome) {
  switch (outcome) {
    case FaultOutcome::out_of_memory:
      return Errno::enomem;
    case FaultOutcome::interrupted:
      return Errno::eintr;
    default:
      return Errno::efault;
  }
}

}  // namespace

MonitoredFault Mapper::monitored(const Area& area, Entry seen, std::uintptr_t address, FaultAccess access) {
  if (seen.is_software()) return MonitoredFault::none;  // on a swap device: there, and without marks
  if (!seen.is_empty()) {
    bool stops = access == FaultAccess::write && !seen.writable() && is_guarded(area, seen);
    return stops ? MonitoredFault::write_protected : MonitoredFault::none;
  }
  bool is_there = area.object() && area.object()->has_page(area.index_of(address));
  if (is_there) return area.has(AreaFlag::monitor_minor) ? MonitoredFault::minor : MonitoredFault::none;
  return area.has(AreaFlag::monitor_missing) ? MonitoredFault::missing : MonitoredFault::none;
}

void AddressSpace::set_monitor_locked(Area& area, base::RefPtr<FaultMonitor> monitor, std::uint32_t kinds) {
  area.flags_.fetch_and(~monitor_flags, std::memory_order_relaxed);
  area.flags_.fetch_or(kinds, std::memory_order_relaxed);
  area.monitor_ = std::move(monitor);
}

Result<void> AddressSpace::monitor(UserAddress address, std::size_t length,
                                   base::RefPtr<FaultMonitor> monitor, MonitoredKinds kinds) {
  std::uintptr_t start = address.value(), end = start + length;
  WriteGuard guard{lock_};
  bool any = false;
  for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end; area = areas_.next(*area)) {
    any = true;
    bool shared = is_shared_memory(*area);
    if (!shared && !is_private_memory(*area)) return error(Errno::einval);
    if ((kinds.write && shared) || (kinds.minor && !shared)) return error(Errno::einval);
    if (!includes(area->maximum_protection_, Protection::write)) return error(Errno::eperm);
    if (area->monitor_ && area->monitor_.get() != monitor.get()) return error(Errno::ebusy);
  }
  if (!any) return error(Errno::einval);
  TRY(cut_locked(start, end));
  std::uint32_t flags = (kinds.missing ? bit(AreaFlag::monitor_missing) : 0) |
                        (kinds.write ? bit(AreaFlag::monitor_write) : 0) |
                        (kinds.minor ? bit(AreaFlag::monitor_minor) : 0);
  for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end; area = areas_.next(*area)) {
    // Marks may be left of a monitor that went.
    if (kinds.write && !area->has(AreaFlag::monitor_write))
      mark_entries(*this, area->start_, area->end_, false);
    set_monitor_locked(*area, monitor, flags);
    area = join_around_locked(*area);
  }
  return {};
}

Result<void> AddressSpace::end_monitoring(UserAddress address, std::size_t length) {
  std::uintptr_t start = address.value(), end = start + length;
  WriteGuard guard{lock_};
  bool any = false;
  for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end; area = areas_.next(*area)) {
    any = true;
    if (!is_shared_memory(*area) && !is_private_memory(*area)) return error(Errno::einval);
  }
  if (!any) return error(Errno::einval);
  TRY(cut_locked(start, end));
  for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end; area = areas_.next(*area)) {
    set_monitor_locked(*area, nullptr, 0);
    area = join_around_locked(*area);
  }
  return {};
}

void AddressSpace::end_monitoring_by(FaultMonitor& monitor) {
  WriteGuard guard{lock_};
  for (Area* area = areas_.first(); area; area = areas_.next(*area))
    if (area->monitor_.get() == &monitor) {
      set_monitor_locked(*area, nullptr, 0);
      area = join_around_locked(*area);
    }
}

MonitoredFault AddressSpace::fault_is_monitored(UserAddress address, FaultAccess access) {
  ReadGuard guard{lock_};
  Area* area = areas_.find(address.value());
  if (!area || !area->monitor_) return MonitoredFault::none;
  return asked_monitor_locked(*area, base::align_down(address.value(), page_size), access).kind;
}

Result<void> AddressSpace::place_copy(UserAddress address, FaultMonitor& monitor, PageRef page,
                                      WriteProtected protection) {
  std::uintptr_t at = address.value();
  ReadGuard guard{lock_};
  Area* area = areas_.find(at);
  if (!area || area->monitor_.get() != &monitor) return error(Errno::enoent);
  bool guarded = protection == WriteProtected::yes;
  if (guarded && !area->has(AreaFlag::monitor_write)) return error(Errno::einval);
  EntryPlace place = TRY(Mapper::make(*this, at));
  if (MemoryObject* object = area->object_.get()) {
    std::uint64_t index = area->index_of(at);
    if (object->has_page(index)) return error(Errno::eexist);
    PageRef target = TRY(object->page_for(index, FaultAccess::write));
    std::memcpy(target.data(), page.data(), page_size);
    object->page_dirtied(*target, index);
    auto outcome = Mapper::fault_object(*this, *area, place, at, FaultAccess::read);
    if (outcome != FaultOutcome::resolved) return error(errno_of(outcome));
    return {};
  }
  page->reset_flags(
      static_cast<std::uint32_t>(PageFlag::anonymous) | static_cast<std::uint32_t>(PageFlag::swap_backed), 0);
  area->set_has_anonymous();
  TableLock lock(*place.table);
  if (!arch::read_entry(place.entry).is_empty()) return error(Errno::eexist);
  Page* owned = page.leak();
  owned->map_count.store(1, std::memory_order_relaxed);
  Entry entry = Mapper::make_entry(*area, physical_of(*owned), !guarded).with_dirty(true);
  arch::write_entry(place.entry, entry.with_software_bit(guarded_bit, guarded));
  Mapper::add_resident(*this, Mapper::Kind::anonymous, 1);
  return {};
}

Result<void> AddressSpace::place_zero(UserAddress address, FaultMonitor& monitor) {
  std::uintptr_t at = address.value();
  ReadGuard guard{lock_};
  Area* area = areas_.find(at);
  if (!area || area->monitor_.get() != &monitor) return error(Errno::enoent);
  EntryPlace place = TRY(Mapper::make(*this, at));
  if (MemoryObject* object = area->object_.get()) {
    if (object->has_page(area->index_of(at))) return error(Errno::eexist);
    (void)TRY(object->page_for(area->index_of(at), FaultAccess::write));
    auto outcome = Mapper::fault_object(*this, *area, place, at, FaultAccess::read);
    if (outcome != FaultOutcome::resolved) return error(errno_of(outcome));
    return {};
  }
  TableLock lock(*place.table);
  if (!arch::read_entry(place.entry).is_empty()) return error(Errno::eexist);
  Entry entry = Mapper::make_entry(*area, physical_of(*zero_page), false);
  arch::write_entry(place.entry, entry.with_software_bit(special_bit, true));
  return {};
}

Result<void> AddressSpace::place_object_page(UserAddress address, FaultMonitor& monitor,
                                             WriteProtected protection) {
  std::uintptr_t at = address.value();
  ReadGuard guard{lock_};
  Area* area = areas_.find(at);
  if (!area || area->monitor_.get() != &monitor) return error(Errno::enoent);
  if (protection == WriteProtected::yes || !is_shared_memory(*area)) return error(Errno::einval);
  if (!area->object_->has_page(area->index_of(at))) return error(Errno::efault);
  EntryPlace place = TRY(Mapper::make(*this, at));
  if (!arch::read_entry(place.entry).is_empty()) return error(Errno::eexist);
  auto outcome = Mapper::fault_object(*this, *area, place, at, FaultAccess::read);
  if (outcome != FaultOutcome::resolved) return error(errno_of(outcome));
  return {};
}

Result<void> AddressSpace::write_protect(UserAddress address, std::size_t length, FaultMonitor& monitor,
                                         WriteProtected protection) {
  std::uintptr_t start = address.value(), end = start + length;
  bool no_memory = false;
  unsigned vain = 0;
  for (std::uintptr_t at = start; at < end;) {
    if (no_memory && !make_room_for_program(vain)) return error(Errno::enomem);
    no_memory = false;
    ReadGuard guard{lock_};
    Area* area = areas_.find(at);
    if (!area || area->monitor_.get() != &monitor || !area->has(AreaFlag::monitor_write))
      return error(Errno::enoent);
    std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
    // What left before the area was monitored comes back first, and then stays.
    std::uintptr_t swapped =
        protection == WriteProtected::yes ? find_swapped(*this, at, piece_end) : piece_end;
    if (swapped != piece_end) {
      if (interruption_pending(WaitMode::killable)) return error(Errno::eintr);
      auto outcome = Mapper::fault_in(*this, *area, swapped, FaultAccess::read, true);
      no_memory = outcome == FaultOutcome::out_of_memory;
      if (!no_memory && outcome != FaultOutcome::resolved) return error(errno_of(outcome));
      continue;
    }
    mark_entries(*this, at, piece_end, protection == WriteProtected::yes);
    at = piece_end;
  }
  return {};
}

void AddressSpace::reap() {
  mark_dying();
  ReadGuard guard{lock_};
  TlbBatch batch(*this);
  for (Area* area = areas_.first(); area; area = areas_.next(*area))
    if (!area->is_shared() && !area->has(AreaFlag::special))
      Mapper::zap(*this, *area, area->start_, area->end_, batch);
}

}  // namespace core
