// madvise, msync, mincore.
#include "area_internal.h"
#include "core/memory/oom.h"
#include "core/sync/blocking.h"
#include "mapper.h"
#include "reclaim.h"
#include "swap_map.h"

namespace core {
namespace {

std::uint32_t bit(AreaFlag flag) { return static_cast<std::uint32_t>(flag); }

struct FlagChange {
  std::uint32_t set = 0, clear = 0;
};
FlagChange flag_change(Advice advice) {
  switch (advice) {
    case Advice::normal:
      return {0, bit(AreaFlag::random_read) | bit(AreaFlag::sequential_read)};
    case Advice::random:
      return {bit(AreaFlag::random_read), bit(AreaFlag::sequential_read)};
    case Advice::sequential:
      return {bit(AreaFlag::sequential_read), bit(AreaFlag::random_read)};
    case Advice::dont_fork:
      return {bit(AreaFlag::dont_fork), 0};
    case Advice::do_fork:
      return {0, bit(AreaFlag::dont_fork)};
    case Advice::wipe_on_fork:
      return {bit(AreaFlag::wipe_on_fork), 0};
    case Advice::keep_on_fork:
      return {0, bit(AreaFlag::wipe_on_fork)};
    case Advice::dont_dump:
      return {bit(AreaFlag::dont_dump), 0};
    case Advice::do_dump:
      return {0, bit(AreaFlag::dont_dump)};
    case Advice::mergeable:
      return {bit(AreaFlag::mergeable), 0};
    case Advice::unmergeable:
      return {0, bit(AreaFlag::mergeable)};
    case Advice::huge_page:
      return {bit(AreaFlag::huge_page), bit(AreaFlag::no_huge_page)};
    case Advice::no_huge_page:
      return {bit(AreaFlag::no_huge_page), bit(AreaFlag::huge_page)};
    default:
      return {};
  }
}

// What is sealed and cannot be written must not be emptied by this way either.
bool loses_sealed_data(const Area& area, Advice advice) {
  if (!area.has(AreaFlag::sealed) || area.object() || includes(area.protection(), Protection::write))
    return false;
  switch (advice) {
    case Advice::dont_need:
    case Advice::dont_need_locked:
    case Advice::free:
    case Advice::remove:
    case Advice::dont_fork:
    case Advice::wipe_on_fork:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<void> AddressSpace::advise(UserAddress address, std::size_t length, Advice advice) {
  std::uintptr_t start = address.value();
  std::size_t size = base::align_up(length, page_size);
  if ((start & (page_size - 1)) || size < length || start + size < start) return error(Errno::einval);
  if (size == 0) return {};
  std::uintptr_t end = start + size;
  switch (advice) {
    case Advice::dont_need:
    case Advice::dont_need_locked:
    case Advice::free:
    case Advice::cold:
      return advise_zap(start, end, advice);
    case Advice::page_out:
      return page_out(start, end);
    case Advice::will_need:
    case Advice::remove:
      return advise_object(start, end, advice);
    case Advice::populate_read:
      return advise_populate(start, end, FaultAccess::read);
    case Advice::populate_write:
      return advise_populate(start, end, FaultAccess::write);
    case Advice::collapse:
      return error(Errno::einval);  // no huge pages to collapse into
    default:
      return advise_flags(start, end, advice);
  }
}

// Gaps are skipped and reported at the end, as everywhere in madvise(2).
Result<void> AddressSpace::advise_zap(std::uintptr_t start, std::uintptr_t end, Advice advice) {
  bool gap = false;
  ReadGuard guard{lock_};
  TlbBatch batch(*this);
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find_from(at);
    if (!area || area->start_ >= end) return error(Errno::enomem);
    if (area->start_ > at) {
      gap = true;
      at = area->start_;
    }
    std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
    if (area->has(AreaFlag::special)) return error(Errno::einval);
    if (loses_sealed_data(*area, advice)) return error(Errno::eperm);
    if (area->has(AreaFlag::locked) && advice != Advice::dont_need_locked) return error(Errno::einval);
    switch (advice) {
      case Advice::free:
        // Freeing at once is what may happen at any time after MADV_FREE.
        if (area->object_ || area->is_shared()) return error(Errno::einval);
        [[fallthrough]];
      case Advice::dont_need:
      case Advice::dont_need_locked:
        Mapper::zap(*this, *area, at, piece_end, batch);
        break;
      default:
        age_locked(*area, at, piece_end);  // cold: reclaim finds it unused
        break;
    }
    at = piece_end;
  }
  if (gap) return error(Errno::enomem);
  return {};
}

Result<void> AddressSpace::advise_flags(std::uintptr_t start, std::uintptr_t end, Advice advice) {
  FlagChange change = flag_change(advice);
  bool gap = false;
  WriteGuard guard{lock_};
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find_from(at);
    if (!area || area->start_ >= end) return error(Errno::enomem);
    if (area->start_ > at) {
      gap = true;
      at = area->start_;
    }
    std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
    if (loses_sealed_data(*area, advice)) return error(Errno::eperm);
    if (advice == Advice::wipe_on_fork && (area->object_ || area->is_shared())) return error(Errno::einval);
    if ((advice == Advice::do_fork || advice == Advice::do_dump) && area->has(AreaFlag::special))
      return error(Errno::einval);
    std::uint32_t flags = area->flags_.load(std::memory_order_relaxed);
    if (((flags & ~change.clear) | change.set) != flags) {
      TRY(cut_locked(at, piece_end));
      area = areas_.find(at);
      set_flags_locked(*area, change.set, change.clear);
      join_around_locked(*area);
    }
    at = piece_end;
  }
  if (gap) return error(Errno::enomem);
  return {};
}

// The object is called without our lock: it may sleep long, and punching a hole comes back to unmap.
Result<void> AddressSpace::advise_object(std::uintptr_t start, std::uintptr_t end, Advice advice) {
  bool gap = false;
  for (std::uintptr_t at = start; at < end;) {
    base::RefPtr<MemoryObject> object;
    std::uint64_t first_byte = 0, bytes = 0;
    std::uintptr_t piece_start = at;
    {
      ReadGuard guard{lock_};
      Area* area = areas_.find_from(at);
      if (!area || area->start_ >= end) return error(Errno::enomem);
      if (area->start_ > at) {
        gap = true;
        at = area->start_;
      }
      piece_start = at;
      std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
      if (advice == Advice::remove) {
        if (area->has(AreaFlag::locked) || !area->object_) return error(Errno::einval);
        if (!area->is_shared() || !includes(area->protection_, Protection::write))
          return error(Errno::eacces);
      }
      object = area->object_;
      if (object) first_byte = area->index_of(at) << page_shift;
      bytes = piece_end - at;
      at = piece_end;
    }
    if (advice == Advice::will_need) read_swapped(piece_start, at);
    if (!object) continue;
    if (advice == Advice::remove)
      TRY(object->remove_range(first_byte, first_byte + bytes - 1));
    else
      object->read_ahead(first_byte >> page_shift, bytes >> page_shift);
  }
  if (gap) return error(Errno::enomem);
  return {};
}

// MADV_WILLNEED: private pages that lie on a swap device come into memory, not yet into the tables.
void AddressSpace::read_swapped(std::uintptr_t start, std::uintptr_t end) {
  for (std::uintptr_t at = start; at < end; at += page_size) {
    SwapEntry entry;
    {
      ReadGuard guard{lock_};
      EntryPlace place = Mapper::find(*this, at);
      if (!place) {
        at = base::align_up(at + 1, std::uintptr_t{arch::entries_per_table} << page_shift) - page_size;
        continue;
      }
      Entry seen = arch::read_entry(place.entry);
      if (seen.is_software()) entry = SwapEntry::from_value(seen.software_payload());
    }
    // A hint: what cannot be read now is read by the fault.
    if (entry.value() && (interruption_pending(WaitMode::killable) || !swap_in(entry))) return;
  }
}

Result<void> AddressSpace::advise_populate(std::uintptr_t start, std::uintptr_t end, FaultAccess access) {
  bool no_memory = false;
  unsigned vain = 0;
  for (std::uintptr_t at = start; at < end;) {
    if (interruption_pending(WaitMode::killable)) return error(Errno::eintr);
    if (no_memory && !make_room_for_program(vain)) return error(Errno::enomem);
    no_memory = false;
    ReadGuard guard{lock_};
    Area* area = areas_.find(at);
    if (!area) return error(Errno::enomem);
    if (area->has(AreaFlag::special)) return error(Errno::einval);
    switch (fault_area(*area, at, access, false)) {
      case FaultOutcome::resolved:
        at += page_size;
        vain = 0;
        break;
      case FaultOutcome::no_access:
        return error(Errno::einval);
      case FaultOutcome::out_of_memory:
        no_memory = true;
        break;
      case FaultOutcome::interrupted:
        return error(Errno::eintr);
      default:
        return error(Errno::efault);
    }
  }
  return {};
}

Result<void> AddressSpace::synchronise(UserAddress address, std::size_t length, SyncMode mode,
                                       bool invalidate) {
  std::uintptr_t start = address.value();
  std::size_t size = base::align_up(length, page_size);
  if (start & (page_size - 1)) return error(Errno::einval);
  if (size < length || start + size < start) return error(Errno::enomem);
  bool gap = false;
  for (std::uintptr_t at = start, end = start + size; at < end;) {
    base::RefPtr<MemoryObject> object;
    std::uint64_t first_byte = 0, bytes = 0;
    {
      ReadGuard guard{lock_};
      Area* area = areas_.find_from(at);
      if (!area || area->start_ >= end) return error(Errno::enomem);
      if (area->start_ > at) {
        gap = true;
        at = area->start_;
      }
      if (invalidate && area->has(AreaFlag::locked)) return error(Errno::ebusy);
      std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
      if (mode == SyncMode::synchronous && area->is_shared() && area->object_) {
        object = area->object_;
        first_byte = area->index_of(at) << page_shift;
      }
      bytes = piece_end - at;
      at = piece_end;
    }
    if (object) TRY(object->synchronise(first_byte, first_byte + bytes - 1));
  }
  if (gap) return error(Errno::enomem);
  return {};
}

Result<void> AddressSpace::residency(UserAddress address, std::span<unsigned char> pages) {
  std::uintptr_t start = address.value();
  if (start & (page_size - 1)) return error(Errno::einval);
  ReadGuard guard{lock_};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    std::uintptr_t at = start + i * page_size;
    Area* area = areas_.find(at);
    if (!area) return error(Errno::enomem);
    EntryPlace place = Mapper::find(*this, at);
    bool present = false;
    if (place) {
      TableLock lock(*place.table);
      Entry entry = arch::read_entry(place.entry);
      present = entry.is_present() ||
                (entry.is_software() && is_in_swap_cache(SwapEntry::from_value(entry.software_payload())));
    }
    if (!present && area->object_) present = area->object_->is_resident(area->index_of(at));
    pages[i] = present;
  }
  return {};
}

}  // namespace core
