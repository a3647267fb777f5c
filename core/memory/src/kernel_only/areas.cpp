// The set of areas of an address space: cutting, joining, removing, counting.
#include "area_internal.h"
#include "core/memory/oom.h"
#include "mapper.h"

namespace core {

void AddressSpace::account_locked(const Area& area, std::uint64_t pages, int sign) {
  std::uint64_t delta = sign > 0 ? pages : 0 - pages;
  total_pages_ += delta;
  if (total_pages_ > total_peak_) total_peak_ = total_pages_;
  if (area.has(AreaFlag::locked)) {
    locked_pages_ += delta;
    count_memory(MemoryCounter::locked, static_cast<long>(delta));
  }
  if (area.has(AreaFlag::accounted)) committed_pages_ += delta;
  // The same three classes as in /proc/PID/status.
  bool writable = includes(area.protection(), Protection::write);
  if (area.has(AreaFlag::stack) || area.has(AreaFlag::grows_down))
    stack_pages_ += delta;
  else if (!area.is_shared() && writable)
    data_pages_ += delta;
  else if (includes(area.protection(), Protection::execute) && !writable)
    executable_pages_ += delta;
}

void AddressSpace::insert_locked(Area& area) {
  areas_.insert(area);
  ++area_count_;
  account_locked(area, area.size() >> page_shift, +1);
  ObjectMappings::add(area);
}

Result<void> AddressSpace::split_locked(Area& area, std::uintptr_t at) {
  if (area_count_ >= max_areas_per_space) return error(Errno::enomem);
  Area* high = TRY(allocate_area());
  AreaOperations::copy_properties(*high, area);
  high->start_ = at;
  high->end_ = area.end_;
  if (high->object_) high->first_index_ = area.index_of(at);
  // First the upper half becomes findable from the object, so that no page of it is missed in between.
  ObjectMappings::add(*high);
  AreaOperations::set_bounds(areas_, area, area.start_, at);
  areas_.insert(*high);
  ++area_count_;
  return {};
}

Result<void> AddressSpace::cut_locked(std::uintptr_t start, std::uintptr_t end) {
  if (Area* area = areas_.find(start); area && area->start_ < start) TRY(split_locked(*area, start));
  if (Area* area = areas_.find(end); area && area->start_ < end) TRY(split_locked(*area, end));
  return {};
}

// Gives the area that `area` is part of now.
Area* AddressSpace::join_around_locked(Area& area) {
  Area* result = &area;
  auto join = [&](Area& low, Area& high) NO_THREAD_SAFETY_ANALYSIS {
    // The lambda is analysed apart; the enclosing function holds lock_.
    std::uintptr_t end = high.end_;
    if (high.has(AreaFlag::has_anonymous)) low.set(AreaFlag::has_anonymous);
    areas_.remove(high);
    AreaOperations::set_bounds(areas_, low, low.start_, end);
    ObjectMappings::remove(high);
    --area_count_;
    AreaOperations::drop(high);
  };
  if (Area* high = areas_.next(area); high && AreaOperations::can_join(area, *high)) join(area, *high);
  if (Area* low = areas_.previous(area); low && AreaOperations::can_join(*low, area)) {
    join(*low, area);
    result = low;
  }
  return result;
}

void AddressSpace::set_flags_locked(Area& area, std::uint32_t set, std::uint32_t clear) {
  std::uint64_t pages = area.size() >> page_shift;
  account_locked(area, pages, -1);
  area.flags_.fetch_and(~clear, std::memory_order_relaxed);
  area.flags_.fetch_or(set, std::memory_order_relaxed);
  account_locked(area, pages, +1);
}

std::uint64_t AddressSpace::mapped_pages_locked(std::uintptr_t start, std::uintptr_t end) const {
  std::uint64_t pages = 0;
  for (Area* area = areas_.find_overlap(start, end); area && area->start_ < end; area = areas_.next(*area)) {
    std::uintptr_t low = area->start_ > start ? area->start_ : start,
                   high = area->end_ < end ? area->end_ : end;
    pages += (high - low) >> page_shift;
  }
  return pages;
}

// Whole areas in [start, end) go.
void AddressSpace::remove_areas_locked(std::uintptr_t start, std::uintptr_t end) {
  Area* first = areas_.find_overlap(start, end);
  if (!first) return;
  Area* below = areas_.previous(*first);
  std::uintptr_t floor = below ? below->end_ : 0;
  std::uint64_t uncharged = 0;
  note_resident_peak();
  TlbBatch batch(*this);
  for (Area* area = first; area && area->start_ < end; area = areas_.next(*area))
    Mapper::zap(*this, *area, area->start_, area->end_, batch);
  // Special frames are not counted: those that go with their object must be in no TLB by then.
  for (Area* area = first; area && area->start_ < end; area = areas_.next(*area))
    if (area->object_ && area->object_->is_special() && !area->object_->is_plain_memory()) batch.flush();
  // Once the objects do not know the areas, nobody walks their tables but us.
  for (Area* area = first; area && area->start_ < end; area = areas_.next(*area))
    ObjectMappings::remove(*area);
  Area* above = areas_.find_from(end);
  std::uintptr_t ceiling = above ? above->start_ : arch::user_address_limit + page_size;
  while (first && first->start_ < end) {
    Area* next = areas_.next(*first);
    // A table that also serves the next one is freed with that.
    bool is_last = !next || next->start_ >= end;
    Mapper::free_tables(*this, first->start_, first->end_, floor, is_last ? ceiling : next->start_, batch);
    std::uint64_t pages = first->size() >> page_shift;
    if (first->has(AreaFlag::accounted)) uncharged += pages;
    account_locked(*first, pages, -1);
    areas_.remove(*first);
    --area_count_;
    AreaOperations::drop(*first);
    first = next;
  }
  if (uncharged) uncharge_commit(uncharged);
}

Result<void> AddressSpace::unmap_locked(std::uintptr_t start, std::uintptr_t end) {
  TRY(cut_locked(start, end));
  remove_areas_locked(start, end);
  return {};
}

Result<void> AddressSpace::unmap(UserAddress address, std::size_t length) {
  std::uintptr_t start = address.value();
  std::size_t size = base::align_up(length, page_size);
  if ((start & (page_size - 1)) || size == 0 || size < length) return error(Errno::einval);
  if (start > layout_.highest || size > layout_.highest - start) return error(Errno::einval);
  WriteGuard guard{lock_};
  if (has_sealed_locked(start, start + size)) return error(Errno::eperm);
  return unmap_locked(start, start + size);
}

void AddressSpace::unmap_all() {
  WriteGuard guard{lock_};
  remove_areas_locked(0, arch::user_address_limit);
}

}  // namespace core
