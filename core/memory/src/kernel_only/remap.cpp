// mremap.
#include "area_internal.h"
#include "core/memory/oom.h"
#include "mapper.h"

namespace core {

struct AddressSpace::RemapWork {
  std::uintptr_t old_start;
  std::size_t old_size, new_size;
  RemapFlags flags;
  std::uintptr_t new_start;
  // Afterwards: what a locked mapping must fault in.
  std::uintptr_t populate_start = 0, populate_end = 0;
};

namespace {

bool overlap(std::uintptr_t a, std::size_t a_size, std::uintptr_t b, std::size_t b_size) {
  return a < b + b_size && b < a + a_size;
}

}  // namespace

Result<UserAddress> AddressSpace::remap(UserAddress address, std::size_t old_length, std::size_t new_length,
                                        RemapFlags flags, UserAddress new_address) {
  RemapWork work{address.value(), base::align_up(old_length, page_size),
                 base::align_up(new_length, page_size), flags, new_address.value()};
  if (flags.fixed && !flags.may_move) return error(Errno::einval);
  if (flags.dont_unmap && (!flags.may_move || work.old_size != work.new_size)) return error(Errno::einval);
  if ((work.old_start & (page_size - 1)) || work.new_size == 0) return error(Errno::einval);
  if (work.old_size < old_length || work.new_size < new_length ||
      work.old_start + work.old_size < work.old_start)
    return error(Errno::einval);
  if (flags.fixed) {
    if (work.new_start & (page_size - 1)) return error(Errno::einval);
    if (work.new_size > layout_.highest || work.new_start > layout_.highest - work.new_size)
      return error(Errno::einval);
    if (work.new_start < layout_.lowest) return error(Errno::eperm);
    if (overlap(work.old_start, work.old_size, work.new_start, work.new_size)) return error(Errno::einval);
  }
  UserAddress result;
  {
    WriteGuard guard{lock_};
    result = TRY(remap_locked(work));
  }
  if (work.populate_start < work.populate_end)
    (void)populate(work.populate_start, work.populate_end).has_value();
  return result;
}

Result<UserAddress> AddressSpace::remap_locked(RemapWork& work) {
  Area* area = areas_.find(work.old_start);
  if (!area) return error(Errno::efault);
  if (area->has(AreaFlag::sealed) || has_sealed_locked(work.old_start, work.old_start + work.old_size) ||
      (work.flags.fixed && has_sealed_locked(work.new_start, work.new_start + work.new_size)))
    return error(Errno::eperm);
  bool moves = work.flags.fixed || work.flags.dont_unmap;
  if (work.flags.fixed) {
    TRY(unmap_locked(work.new_start, work.new_start + work.new_size));
  }
  if (work.old_size >= work.new_size && work.old_size != 0) {
    if (work.old_size > work.new_size) {
      TRY(unmap_locked(work.old_start + work.new_size, work.old_start + work.old_size));
      work.old_size = work.new_size;
    }
    if (!moves) return UserAddress(work.old_start);
  }
  area = areas_.find(work.old_start);
  if (!area) return error(Errno::efault);
  if (work.old_size == 0 && !area->is_shared()) return error(Errno::einval);
  if (work.flags.dont_unmap && area->has(AreaFlag::special)) return error(Errno::einval);
  if (work.old_size > area->end_ - work.old_start) return error(Errno::efault);
  std::uint64_t growth = work.old_size < work.new_size ? (work.new_size - work.old_size) >> page_shift : 0;
  std::uint64_t more = work.flags.dont_unmap ? work.new_size >> page_shift : growth;
  if (growth && area->has(AreaFlag::special)) return error(Errno::efault);
  if (area->has(AreaFlag::locked) && !check_lock_limit_locked(more)) return error(Errno::eagain);
  if (total_pages_ + more > limit_address_space_.load(std::memory_order_relaxed) >> page_shift)
    return error(Errno::enomem);
  bool is_data =
      includes(area->protection_, Protection::write) && !area->is_shared() && !area->has(AreaFlag::stack);
  if (is_data && data_pages_ + more > limit_data_.load(std::memory_order_relaxed) >> page_shift)
    return error(Errno::enomem);
  bool charge = area->has(AreaFlag::accounted) && more;
  if (charge) TRY(charge_commit(more));
  auto fail = [&](Errno code) {
    if (charge) uncharge_commit(more);
    return error(code);
  };

  if (!moves && work.old_size == area->end_ - work.old_start) {
    std::uintptr_t new_end = work.old_start + work.new_size;
    Area* above = areas_.next(*area);
    std::uintptr_t room_end = above ? above->start_ - above->guard_below() : layout_.highest;
    if (new_end > work.old_start && new_end <= room_end) {
      std::uintptr_t old_end = area->end_;
      AreaOperations::set_bounds(areas_, *area, area->start_, new_end);
      account_locked(*area, growth, +1);
      if (area->has(AreaFlag::locked)) work.populate_start = old_end, work.populate_end = new_end;
      join_around_locked(*area);
      return UserAddress(work.old_start);
    }
  }
  if (!work.flags.may_move) return fail(Errno::enomem);
  if (!work.flags.fixed) {
    auto place = find_place_locked({.address = UserAddress(work.flags.dont_unmap ? work.new_start : 0)},
                                   work.new_size);
    if (!place) return fail(place.error());
    work.new_start = *place;
  }
  auto moved = move_locked(work, *area);
  if (!moved) return fail(moved.error());
  return moved;
}

// Limits are checked and the growth is charged. Prepares everything that can fail, then moves.
Result<UserAddress> AddressSpace::move_locked(RemapWork& work, Area& whole) {
  std::uintptr_t old_end = work.old_start + work.old_size;
  bool keeps_old = work.flags.dont_unmap || work.old_size == 0;
  if (!keeps_old) TRY(cut_locked(work.old_start, old_end));
  Area* old_area = work.old_size ? areas_.find(work.old_start) : &whole;
  Area& fresh = *TRY(allocate_area());
  AreaOperations::copy_properties(fresh, *old_area);
  set_monitor_locked(fresh, nullptr, 0);
  fresh.start_ = work.new_start;
  fresh.end_ = work.new_start + work.new_size;
  if (fresh.object_) fresh.first_index_ = old_area->index_of(work.old_start);
  insert_locked(fresh);
  if (work.old_size) {
    auto move = [&] { return Mapper::move_entries(*this, work.old_start, work.new_start, work.old_size); };
    Result<void> moved{};
    if (fresh.object_) {
      // Nobody may walk the object's mappings while an entry is in neither place.
      MutexGuard guard{fresh.object_->mappings_lock_};
      moved = move();
    } else {
      moved = move();
    }
    if (!moved) {
      // Only tables could fail; nothing has moved yet. The caller gives the charge for the growth back.
      if (fresh.has(AreaFlag::accounted))
        set_flags_locked(fresh, 0, static_cast<std::uint32_t>(AreaFlag::accounted));
      remove_areas_locked(fresh.start_, fresh.end_);
      return error(moved.error());
    }
  }
  if (fresh.has(AreaFlag::locked)) {
    work.populate_start = work.new_start + work.old_size;
    work.populate_end = work.new_start + work.new_size;
  }
  if (!keeps_old) {
    // Its charge has gone over to the new place.
    set_flags_locked(*old_area, 0, static_cast<std::uint32_t>(AreaFlag::accounted));
    remove_areas_locked(work.old_start, old_end);
  } else if (work.flags.dont_unmap && old_area->has(AreaFlag::locked) && old_area->start_ == work.old_start &&
             old_area->end_ == old_end) {
    set_flags_locked(
        *old_area, 0,
        static_cast<std::uint32_t>(AreaFlag::locked) | static_cast<std::uint32_t>(AreaFlag::locked_on_fault));
  }
  join_around_locked(fresh);
  return UserAddress(work.new_start);
}

}  // namespace core
