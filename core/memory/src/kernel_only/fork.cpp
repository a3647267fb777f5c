// Copies of address spaces. Page tables are copied only where private pages may be: everything else is found
// again by faulting, most of it around the first fault.
#include "area_internal.h"
#include "core/memory/oom.h"
#include "mapper.h"
#include "reclaim.h"

namespace core {

Result<void> AddressSpace::copy_areas_to_locked(AddressSpace& child) {
  // Parent entries become read-only; its TLBs are told once, by the batch.
  TlbBatch batch(*this);
  for (Area* area = areas_.first(); area; area = areas_.next(*area)) {
    if (area->has(AreaFlag::dont_fork)) continue;
    std::uint64_t pages = area->size() >> page_shift;
    if (area->has(AreaFlag::accounted)) TRY(charge_commit(pages));
    auto allocated = allocate_area();
    if (!allocated) {
      if (area->has(AreaFlag::accounted)) uncharge_commit(pages);
      return error(allocated.error());
    }
    Area& copy = **allocated;
    AreaOperations::copy_properties(copy, *area);
    copy.clear(AreaFlag::locked);
    copy.clear(AreaFlag::locked_on_fault);
    child.set_monitor_locked(copy, nullptr, 0);
    copy.space_ = &child;
    copy.start_ = area->start_;
    copy.end_ = area->end_;
    child.insert_locked(copy);
    bool copies_pages =
        !area->is_shared() && area->has(AreaFlag::has_anonymous) && !area->has(AreaFlag::wipe_on_fork);
    if (copies_pages) TRY(Mapper::copy_for_fork(*this, child, *area, copy, batch));
  }
  return {};
}

Result<base::RefPtr<AddressSpace>> AddressSpace::fork() {
  auto child = TRY(create(layout_));
  // Reclaim finds little while we hold the lock below for writing: room for the tables comes first.
  if (std::uint64_t needed = static_cast<std::uint64_t>(table_pages_.load(std::memory_order_relaxed)) + 16;
      memory_statistics().free_pages < 2 * memory_statistics().reserve_pages + needed)
    (void)reclaim_pages(needed + memory_statistics().reserve_pages);
  WriteGuard guard{lock_};
  WriteGuard child_guard{child->lock_, LockNesting::child};
  child->break_start_ = break_start_;
  child->break_ = break_;
  child->any_sealed_ = any_sealed_;
  child->program_ = program_;
  child->set_limits({limit_address_space_.load(), limit_data_.load(), limit_stack_.load(),
                     limit_locked_.load(), may_lock_without_limit_.load()});
  // On failure the child's destructor gives back what was copied.
  TRY(copy_areas_to_locked(*child));
  return child;
}

}  // namespace core
