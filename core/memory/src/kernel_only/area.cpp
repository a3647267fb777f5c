// Areas: making, splitting, joining, and their place in the object's list.
#include "core/memory/area.h"

#include <new>

#include "area_internal.h"
#include "core/memory/address_space.h"
#include "core/memory/oom.h"
#include "core/memory/slab.h"
#include "mapper.h"

namespace core {
namespace {

constinit ObjectCache<Area> area_cache{"vm_area_struct"};

}  // namespace

Result<Area*> allocate_area() { return area_cache.create(); }
void destroy_area(Area* area) { area_cache.destroy(area); }

Area::~Area() {
  base::debug_verify(!mapping_hook_.is_linked(), "area destroyed while its object knows it");
  if (file_) file_->release_mapped_file();
}

std::uintptr_t Area::guard_below() const {
  return has(AreaFlag::grows_down) ? std::uintptr_t{stack_guard_gap_pages} << page_shift : 0;
}

// --- The object's list. The head is a ListHook that points to itself when empty (null before first use).

namespace {
void ensure(base::ListHook& head) {
  if (!head.next) head.next = head.previous = &head;
}
}  // namespace

void ObjectMappings::add(Area& area) {
  MemoryObject* object = area.object_.get();
  if (!object) return;
  MutexGuard guard{object->mappings_lock_};
  ensure(object->mappings_);
  base::ListHook& hook = area.mapping_hook_;
  hook.next = object->mappings_.next;
  hook.previous = &object->mappings_;
  hook.next->previous = &hook;
  object->mappings_.next = &hook;
  object->mapping_count_.fetch_add(1, std::memory_order_relaxed);
}

void ObjectMappings::remove(Area& area) {
  MemoryObject* object = area.object_.get();
  if (!object || !area.mapping_hook_.is_linked()) return;
  MutexGuard guard{object->mappings_lock_};
  area.mapping_hook_.unlink();
  object->mapping_count_.fetch_sub(1, std::memory_order_relaxed);
}

MemoryObject::~MemoryObject() {
  base::debug_verify(mapping_count_.load() == 0, "memory object destroyed while mapped");
  // An empty head points to itself.
  mappings_.next = mappings_.previous = nullptr;
}

// --- Properties

bool AreaOperations::same_properties(const Area& a, const Area& b) {
  constexpr auto ignored = static_cast<std::uint32_t>(AreaFlag::has_anonymous);
  std::uint32_t difference =
      a.flags_.load(std::memory_order_relaxed) ^ b.flags_.load(std::memory_order_relaxed);
  return (difference & ~ignored) == 0 && a.protection_ == b.protection_ &&
         a.maximum_protection_ == b.maximum_protection_ && a.object_.get() == b.object_.get() &&
         a.file_ == b.file_ && a.name_ == b.name_ && a.monitor_.get() == b.monitor_.get() &&
         a.policy_ == b.policy_;
}

bool AreaOperations::can_join(const Area& low, const Area& high) {
  if (low.end_ != high.start_ || !same_properties(low, high)) return false;
  if (low.has(AreaFlag::special) || low.has(AreaFlag::grows_down)) return false;
  return !low.object_ || low.first_index_ + (low.size() >> page_shift) == high.first_index_;
}

void AreaOperations::copy_properties(Area& to, const Area& from) {
  to.space_ = from.space_;
  to.flags_.store(from.flags_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  to.protection_ = from.protection_;
  to.maximum_protection_ = from.maximum_protection_;
  to.first_index_ = from.first_index_;
  to.object_ = from.object_;
  to.file_ = from.file_;
  if (to.file_) to.file_->acquire_mapped_file();
  to.name_ = from.name_;
  to.monitor_ = from.monitor_;
  to.policy_ = from.policy_;
  if (to.has(AreaFlag::shared_writable))
    to.object_->writable_mappings_.fetch_add(1, std::memory_order_relaxed);
}

void AreaOperations::drop(Area& area) {
  if (area.has(AreaFlag::shared_writable))
    area.object_->writable_mappings_.fetch_sub(1, std::memory_order_relaxed);
  destroy_area(&area);
}

// Bounds of a listed area change under the object's lock, for the walks from the object's side.
void AreaOperations::set_bounds(AreaSet<Area>& areas, Area& area, std::uintptr_t start, std::uintptr_t end) {
  auto change = [&] {
    if (area.object_ && start != area.start_)
      area.first_index_ +=
          static_cast<std::uint64_t>(static_cast<std::intptr_t>(start - area.start_) >> page_shift);
    areas.set_bounds(area, start, end);
  };
  if (!area.object_) return change();
  MutexGuard guard{area.object_->mappings_lock_};
  change();
}

}  // namespace core
