// mprotect and mlock.
#include "area_internal.h"
#include "core/memory/oom.h"
#include "mapper.h"

namespace core {
namespace {

std::uint32_t bit(AreaFlag flag) { return static_cast<std::uint32_t>(flag); }

}  // namespace

Result<void> AddressSpace::protect(UserAddress address, std::size_t length, Protection protection,
                                   ProtectEdge edge) {
  std::uintptr_t start = address.value();
  std::size_t size = base::align_up(length, page_size);
  if (start & (page_size - 1)) return error(Errno::einval);
  if (length == 0) return {};
  std::uintptr_t end = start + size;
  if (size < length || end <= start) return error(Errno::enomem);
  WriteGuard guard{lock_};
  Area* area = areas_.find_from(start);
  if (!area) return error(Errno::enomem);
  if (edge == ProtectEdge::grows_down) {
    if (area->start_ >= end || !area->has(AreaFlag::grows_down))
      return error(area->start_ >= end ? Errno::enomem : Errno::einval);
    start = area->start_;
  }
  for (std::uintptr_t at = start; at < end;) {
    area = areas_.find(at);
    if (!area) return error(Errno::enomem);
    if (area->has(AreaFlag::sealed)) return error(Errno::eperm);
    if (!includes(area->maximum_protection_, protection & Protection::all)) return error(Errno::eacces);
    std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
    if (area->protection_ == protection) {
      at = piece_end;
      continue;
    }
    std::uint64_t pages = (piece_end - at) >> page_shift;
    bool becomes_writable =
        includes(protection, Protection::write) && !includes(area->protection_, Protection::write);
    bool charge = becomes_writable && !area->is_shared() && !area->has(AreaFlag::accounted) &&
                  !area->has(AreaFlag::no_reserve) && !area->has(AreaFlag::special);
    if (becomes_writable && !area->is_shared() && !area->has(AreaFlag::stack) &&
        data_pages_ + pages > limit_data_.load(std::memory_order_relaxed) >> page_shift)
      return error(Errno::enomem);
    TRY(cut_locked(at, piece_end));
    if (charge) TRY(charge_commit(pages));
    area = areas_.find(at);
    account_locked(*area, pages, -1);
    area->protection_ = protection;
    if (charge) area->set(AreaFlag::accounted);
    account_locked(*area, pages, +1);
    Mapper::change_protection(*this, *area, at, piece_end);
    join_around_locked(*area);
    at = piece_end;
  }
  return {};
}

bool AddressSpace::has_sealed_locked(std::uintptr_t start, std::uintptr_t end) const {
  if (!any_sealed_) return false;
  for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end; area = areas_.next(*area))
    if (area->has(AreaFlag::sealed)) return true;
  return false;
}

Result<void> AddressSpace::seal(UserAddress address, std::size_t length) {
  std::uintptr_t start = address.value();
  std::size_t size = base::align_up(length, page_size);
  std::uintptr_t end = start + size;
  if ((start & (page_size - 1)) || size < length || end < start) return error(Errno::einval);
  WriteGuard guard{lock_};
  // All of it or nothing.
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find(at);
    if (!area) return error(Errno::enomem);
    at = area->end_;
  }
  TRY(cut_locked(start, end));
  any_sealed_ = true;
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find(at);
    area->set(AreaFlag::sealed);
    at = join_around_locked(*area)->end_;
  }
  return {};
}

Result<void> AddressSpace::set_policy(UserAddress address, std::size_t length, std::uint32_t policy) {
  std::uintptr_t start = address.value(), end = start + base::align_up(length, page_size);
  WriteGuard guard{lock_};
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find(at);
    if (!area) return error(Errno::efault);
    at = area->end_;
  }
  TRY(cut_locked(start, end));
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find(at);
    area->policy_ = policy;
    at = join_around_locked(*area)->end_;
  }
  return {};
}

// --- Locking in memory

Result<void> AddressSpace::lock_range(UserAddress address, std::size_t length, LockMode mode) {
  std::uintptr_t start = base::align_down(address.value(), page_size);
  std::uintptr_t end = base::align_up(address.value() + length, page_size);
  if (address.value() + length < address.value() || end < start) return error(Errno::einval);
  if (start == end) return {};
  {
    WriteGuard guard{lock_};
    bool unlimited = may_lock_without_limit_.load(std::memory_order_relaxed);
    if (!unlimited && limit_locked_.load(std::memory_order_relaxed) == 0) return error(Errno::eperm);
    std::uint64_t already = 0;
    for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end;
         area = areas_.next(*area)) {
      if (!area->has(AreaFlag::locked)) continue;
      std::uintptr_t low = area->start_ > start ? area->start_ : start,
                     high = area->end_ < end ? area->end_ : end;
      already += (high - low) >> page_shift;
    }
    TRY(check_lock_limit_locked(((end - start) >> page_shift) - already));
    for (std::uintptr_t at = start; at < end;) {
      Area* area = areas_.find(at);
      if (!area) return error(Errno::enomem);
      std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
      if (!area->has(AreaFlag::special)) {
        TRY(cut_locked(at, piece_end));
        area = areas_.find(at);
        bool on_fault = mode == LockMode::on_fault;
        set_flags_locked(*area, bit(AreaFlag::locked) | (on_fault ? bit(AreaFlag::locked_on_fault) : 0),
                         on_fault ? 0 : bit(AreaFlag::locked_on_fault));
        join_around_locked(*area);
      }
      at = piece_end;
    }
  }
  if (mode == LockMode::on_fault) return {};
  return populate(start, end);
}

Result<void> AddressSpace::unlock_range(UserAddress address, std::size_t length) {
  std::uintptr_t start = base::align_down(address.value(), page_size);
  std::uintptr_t end = base::align_up(address.value() + length, page_size);
  if (address.value() + length < address.value() || end < start) return error(Errno::einval);
  WriteGuard guard{lock_};
  for (std::uintptr_t at = start; at < end;) {
    Area* area = areas_.find(at);
    if (!area) return error(Errno::enomem);
    std::uintptr_t piece_end = area->end_ < end ? area->end_ : end;
    if (area->has(AreaFlag::locked)) {
      TRY(cut_locked(at, piece_end));
      area = areas_.find(at);
      set_flags_locked(*area, 0, bit(AreaFlag::locked) | bit(AreaFlag::locked_on_fault));
      join_around_locked(*area);
    }
    at = piece_end;
  }
  return {};
}

Result<void> AddressSpace::lock_all(LockAll what) {
  {
    WriteGuard guard{lock_};
    bool locks = what.current || what.future;
    if (locks && !may_lock_without_limit_.load(std::memory_order_relaxed)) {
      std::uint64_t limit = limit_locked_.load(std::memory_order_relaxed);
      if (limit == 0) return error(Errno::eperm);
      if (what.current && total_pages_ > limit >> page_shift) return error(Errno::enomem);
    }
    lock_future_ = what.future;
    lock_future_mode_ = what.mode;
    if (locks && !what.current) return {};
    bool on_fault = what.mode == LockMode::on_fault;
    for (Area* area = areas_.first(); area; area = areas_.next(*area)) {
      if (area->has(AreaFlag::special)) continue;
      if (!locks)
        set_flags_locked(*area, 0, bit(AreaFlag::locked) | bit(AreaFlag::locked_on_fault));
      else
        set_flags_locked(*area, bit(AreaFlag::locked) | (on_fault ? bit(AreaFlag::locked_on_fault) : 0),
                         on_fault ? 0 : bit(AreaFlag::locked_on_fault));
    }
    if (!locks || on_fault) return {};
  }
  // Everything there is; areas that cannot be populated (no access, end of file) are skipped, as in Linux.
  std::uintptr_t at = 0;
  for (;;) {
    std::uintptr_t start, end;
    {
      ReadGuard guard{lock_};
      Area* area = areas_.find_from(at);
      if (!area) return {};
      start = area->start_ > at ? area->start_ : at;
      end = area->end_;
      if (!area->has(AreaFlag::locked)) start = end;
    }
    if (start < end)
      if (auto done = populate(start, end); !done && done.error() == Errno::eintr) return {};
    at = end;
  }
}

}  // namespace core
