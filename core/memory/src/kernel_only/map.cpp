// mmap and brk.
#include "area_internal.h"
#include "core/memory/oom.h"
#include "mapper.h"

namespace core {
namespace {

std::uint32_t bit(AreaFlag flag) { return static_cast<std::uint32_t>(flag); }

std::uint32_t area_flags(const MapRequest& request, bool accounted) {
  std::uint32_t flags = accounted ? bit(AreaFlag::accounted) : 0;
  if (has(request.flags, MapFlags::shared)) flags |= bit(AreaFlag::shared);
  if (has(request.flags, MapFlags::grows_down)) flags |= bit(AreaFlag::grows_down);
  if (has(request.flags, MapFlags::locked)) flags |= bit(AreaFlag::locked);
  if (has(request.flags, MapFlags::no_reserve)) flags |= bit(AreaFlag::no_reserve);
  if (has(request.flags, MapFlags::stack)) flags |= bit(AreaFlag::stack);
  if (has(request.flags, MapFlags::special)) flags |= bit(AreaFlag::special);
  return flags;
}

// Private memory that could be written costs, unless the mapping asks not to count and the mode admits that.
bool is_accountable(const MapRequest& request) {
  if (has(request.flags, MapFlags::shared) || has(request.flags, MapFlags::special)) return false;
  if (!includes(request.protection, Protection::write)) return false;
  return !has(request.flags, MapFlags::no_reserve) || overcommit_mode() == OvercommitMode::never;
}

constexpr std::uintptr_t four_gib_start = 0x40000000,
                         four_gib_end = 0x80000000;  // MAP_32BIT: the first 2 GiB

}  // namespace

Result<std::uintptr_t> AddressSpace::find_place_locked(const MapRequest& request, std::size_t size) {
  std::uintptr_t wanted = request.address.value();
  if (has(request.flags, MapFlags::fixed)) {
    if (wanted & (page_size - 1)) return error(Errno::einval);
    if (size > layout_.highest || wanted > layout_.highest - size) return error(Errno::enomem);
    if (wanted < layout_.lowest) return error(Errno::eperm);
    if (has(request.flags, MapFlags::no_replace) && areas_.find_overlap(wanted, wanted + size))
      return error(Errno::eexist);
    return wanted;
  }
  if (size > layout_.highest - layout_.lowest) return error(Errno::enomem);
  bool low = has(request.flags, MapFlags::below_4g);
  std::size_t alignment = request.alignment > page_size ? request.alignment : page_size;
  if (wanted && !low) {
    wanted = base::align_down(wanted, page_size);
    if (wanted < layout_.lowest) wanted = layout_.lowest;
    // The hint is taken if it is free, guard gaps included: then the search within exactly that room finds
    // it.
    if (wanted <= layout_.highest - size && (wanted & (alignment - 1)) == 0)
      if (areas_.find_gap_bottom_up({size, wanted, wanted + size, page_size})) return wanted;
  }
  GapRequest request_low{size, low ? four_gib_start : layout_.map_base, low ? four_gib_end : layout_.highest,
                         alignment};
  if (!low && !layout_.bottom_up) {
    if (auto place = areas_.find_gap_top_down({size, layout_.lowest, layout_.map_base, alignment}))
      return *place;
    // Below is full: what is left above.
    request_low.lowest = layout_.lowest;
  }
  if (auto place = areas_.find_gap_bottom_up(request_low)) return *place;
  if (layout_.bottom_up && !low)
    if (auto place = areas_.find_gap_bottom_up({size, layout_.lowest, layout_.highest, alignment}))
      return *place;
  return error(Errno::enomem);
}

Result<void> AddressSpace::check_lock_limit_locked(std::uint64_t more_pages) const {
  if (may_lock_without_limit_.load(std::memory_order_relaxed)) return {};
  std::uint64_t limit = limit_locked_.load(std::memory_order_relaxed) >> page_shift;
  if (locked_pages_ + more_pages > limit) return error(Errno::enomem);
  return {};
}

Result<void> AddressSpace::check_limits_locked(const MapRequest& request, std::uint64_t pages,
                                               std::uint64_t replaced) {
  if (area_count_ >= max_areas_per_space) return error(Errno::enomem);
  if (total_pages_ - replaced + pages > limit_address_space_.load(std::memory_order_relaxed) >> page_shift)
    return error(Errno::enomem);
  bool is_data = includes(request.protection, Protection::write) && !has(request.flags, MapFlags::shared) &&
                 !has(request.flags, MapFlags::stack) && !has(request.flags, MapFlags::grows_down);
  if (is_data && data_pages_ + pages > limit_data_.load(std::memory_order_relaxed) >> page_shift)
    return error(Errno::enomem);
  if (has(request.flags, MapFlags::locked) && !check_lock_limit_locked(pages)) return error(Errno::eagain);
  return {};
}

// The commonest mapping, anonymous memory beside more of the same, needs no new area.
bool AddressSpace::try_extend_locked(const MapRequest& request, std::uint32_t flags, std::uintptr_t start,
                                     std::uintptr_t end) {
  if (request.object || request.name != nullptr || has(request.flags, MapFlags::grows_down)) return false;
  constexpr auto ignored = static_cast<std::uint32_t>(AreaFlag::has_anonymous);
  auto matches = [&](const Area& area) {
    return !area.object_ && !area.name_ && !area.policy_ && area.protection_ == request.protection &&
           area.maximum_protection_ == request.maximum_protection &&
           (area.flags_.load(std::memory_order_relaxed) & ~ignored) == flags;
  };
  Area* above = areas_.find_from(start);
  Area* below = above ? areas_.previous(*above) : areas_.last();
  std::uint64_t pages = (end - start) >> page_shift;
  if (below && below->end_ == start && matches(*below)) {
    areas_.set_bounds(*below, below->start_, end);
    account_locked(*below, pages, +1);
    if (above && AreaOperations::can_join(*below, *above)) join_around_locked(*below);
    return true;
  }
  if (above && above->start_ == end && matches(*above)) {
    areas_.set_bounds(*above, start, above->end_);
    account_locked(*above, pages, +1);
    return true;
  }
  return false;
}

Result<UserAddress> AddressSpace::map_locked(const MapRequest& request, std::size_t size) {
  std::uintptr_t start = TRY(find_place_locked(request, size)), end = start + size;
  std::uint64_t pages = size >> page_shift;
  bool replaces = has(request.flags, MapFlags::fixed) && areas_.find_overlap(start, end);
  if (replaces && has_sealed_locked(start, end)) return error(Errno::eperm);
  TRY(check_limits_locked(request, pages, replaces ? mapped_pages_locked(start, end) : 0));
  bool accounted = is_accountable(request);
  if (accounted) TRY(charge_commit(pages));
  std::uint32_t flags = area_flags(request, accounted);
  auto fail = [&](Errno code) {
    if (accounted) uncharge_commit(pages);
    return error(code);
  };
  if (replaces)
    if (auto done = unmap_locked(start, end); !done) return fail(done.error());
  if (try_extend_locked(request, flags, start, end)) return UserAddress(start);

  auto allocated = allocate_area();
  if (!allocated) return fail(allocated.error());
  Area& area = **allocated;
  area.space_ = this;
  area.start_ = start;
  area.end_ = end;
  area.protection_ = request.protection;
  area.maximum_protection_ = request.maximum_protection;
  area.object_ = request.object;
  area.first_index_ = request.object ? request.offset >> page_shift : 0;
  area.file_ = request.file;
  if (area.file_) area.file_->acquire_mapped_file();
  area.name_ = request.name;
  if (request.object && has(request.flags, MapFlags::shared) &&
      includes(request.maximum_protection, Protection::write)) {
    flags |= bit(AreaFlag::shared_writable);
    request.object->writable_mappings_.fetch_add(1, std::memory_order_relaxed);
  }
  area.flags_.store(flags, std::memory_order_relaxed);
  insert_locked(area);
  if (!has(request.flags, MapFlags::special)) join_around_locked(area);
  return UserAddress(start);
}

Result<UserAddress> AddressSpace::map(const MapRequest& request) {
  std::size_t size = base::align_up(request.length, page_size);
  if (request.length == 0) return error(Errno::einval);
  if (size < request.length) return error(Errno::enomem);
  if (request.offset & (page_size - 1)) return error(Errno::einval);
  if (request.object && request.offset + size < request.offset) return error(Errno::eoverflow);
  bool populate_now = has(request.flags, MapFlags::populate) && !has(request.flags, MapFlags::non_blocking);
  UserAddress address;
  {
    WriteGuard guard{lock_};
    MapRequest effective{.address = request.address,
                         .length = request.length,
                         .protection = request.protection,
                         .maximum_protection = request.maximum_protection,
                         .flags = request.flags,
                         .object = request.object,
                         .offset = request.offset,
                         .file = request.file,
                         .name = request.name,
                         .alignment = request.alignment};
    if (lock_future_ && !has(request.flags, MapFlags::special)) {
      effective.flags |= MapFlags::locked;
      if (lock_future_mode_ == LockMode::populate) populate_now = true;
    }
    address = TRY(map_locked(effective, size));
    if (has(effective.flags, MapFlags::locked) && !lock_future_) populate_now = true;
  }
  // Failures of population are not failures of the mapping.
  if (populate_now && request.protection != Protection::none)
    (void)populate(address.value(), address.value() + size).has_value();
  return address;
}

// --- The break

void AddressSpace::initialize_break(UserAddress start) {
  WriteGuard guard{lock_};
  break_start_ = break_ = start.value();
}

UserAddress AddressSpace::set_break(UserAddress wanted) {
  std::uintptr_t populate_start = 0, populate_end = 0;
  UserAddress result;
  {
    WriteGuard guard{lock_};
    result = [&]() NO_THREAD_SAFETY_ANALYSIS {  // analysed apart; the guard above holds lock_
      std::uintptr_t at = wanted.value();
      if (at < break_start_ || at > layout_.highest) return UserAddress(break_);
      std::uint64_t data = (at - break_start_) + (program_.data_end - program_.data_start);
      if (data > limit_data_.load(std::memory_order_relaxed)) return UserAddress(break_);
      std::uintptr_t old_end = base::align_up(break_, page_size), new_end = base::align_up(at, page_size);
      if (new_end < old_end) {
        if (has_sealed_locked(new_end, old_end) || !unmap_locked(new_end, old_end))
          return UserAddress(break_);
      } else if (new_end > old_end) {
        // The room for the guard of a stack above must stay, as must one page to whatever follows.
        Area* above = areas_.find_from(old_end);
        std::uintptr_t room_end =
            above ? above->start_ - (above->guard_below() ? above->guard_below() : page_size)
                  : layout_.highest;
        if (above && (above->start_ < old_end || new_end > room_end)) return UserAddress(break_);
        MapRequest request{.address = UserAddress(old_end),
                           .length = new_end - old_end,
                           .protection = Protection::read | Protection::write,
                           .flags = MapFlags::fixed | MapFlags::no_replace,
                           .name = "[heap]"};
        if (lock_future_) request.flags |= MapFlags::locked;
        Area* below = areas_.find(old_end - 1);
        // The heap grows in place: one area, whatever its size.
        bool is_heap = below && below->name_ == request.name && !below->object_ &&
                       below->protection_ == request.protection && !lock_future_ &&
                       !below->has(AreaFlag::locked);
        std::uint64_t pages = (new_end - old_end) >> page_shift;
        if (is_heap && below->has(AreaFlag::accounted)) {
          if (!check_limits_locked(request, pages, 0) || !charge_commit(pages)) return UserAddress(break_);
          areas_.set_bounds(*below, below->start_, new_end);
          account_locked(*below, pages, +1);
        } else if (!map_locked(request, new_end - old_end)) {
          return UserAddress(break_);
        }
        if (lock_future_) populate_start = old_end, populate_end = new_end;
      }
      break_ = at;
      return UserAddress(at);
    }();
  }
  if (populate_start < populate_end) (void)populate(populate_start, populate_end).has_value();
  return result;
}

}  // namespace core
