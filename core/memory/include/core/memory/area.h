// One range of an address space with the same properties (a line of /proc/PID/maps). Pages, never empty.
//
// Locking: all members are written with the AddressSpace's lock_ held for writing; holding it for reading (or
// standing in for_each_area()) is enough to read them. An area is freed by RCU after it left the tree.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "base/ref.h"
#include "core/memory/fault_monitor.h"
#include "core/memory/memory_object.h"
#include "core/memory/protection.h"

namespace core {

enum class AreaFlag : std::uint32_t {
  shared = 1u << 0,
  grows_down = 1u << 1,
  locked = 1u << 2,
  locked_on_fault = 1u << 3,  // MLOCK_ONFAULT: locked, but not populated
  no_reserve = 1u << 4,
  accounted = 1u << 5,  // counted in Committed_AS
  dont_fork = 1u << 6,
  wipe_on_fork = 1u << 7,
  dont_dump = 1u << 8,
  sequential_read = 1u << 9,
  random_read = 1u << 10,
  huge_page = 1u << 11,
  no_huge_page = 1u << 12,
  special = 1u << 13,
  has_anonymous = 1u << 14,  // may hold private pages: fork must look at it (set by faults, never cleared)
  stack = 1u << 15,
  mergeable = 1u << 16,        // MADV_MERGEABLE: kept for smaps
  shared_writable = 1u << 17,  // counted in the object's writable_mappings_
  sealed = 1u << 18,           // mseal: neither its place nor its protection may change
  // What the area's monitor wants to hear of.
  monitor_missing = 1u << 19,
  monitor_write = 1u << 20,
  monitor_minor = 1u << 21,
};

class Area {
 public:
  Area() = default;
  ~Area();
  Area(const Area&) = delete;

  std::uintptr_t start() const { return start_; }
  std::uintptr_t end() const { return end_; }
  std::uintptr_t size() const { return end_ - start_; }
  bool contains(std::uintptr_t address) const { return start_ <= address && address < end_; }
  Protection protection() const { return protection_; }
  Protection maximum_protection() const { return maximum_protection_; }
  bool has(AreaFlag flag) const {
    return flags_.load(std::memory_order_relaxed) & static_cast<std::uint32_t>(flag);
  }
  bool is_shared() const { return has(AreaFlag::shared); }
  bool is_anonymous() const { return !object_; }
  MemoryObject* object() const { return object_.get(); }
  MappedFile* file() const { return file_; }
  const char* name() const { return name_; }
  const base::RefPtr<FaultMonitor>& monitor() const { return monitor_; }
  // A word of the layer above that stays with the range (which nodes its pages come from); 0: nothing
  // special.
  std::uint32_t policy() const { return policy_; }
  // Of the first page, in pages.
  std::uint64_t first_index() const { return first_index_; }
  std::uint64_t index_of(std::uintptr_t address) const {
    return first_index_ + ((address - start_) >> page_shift);
  }
  AddressSpace& space() const { return *space_; }
  // A fault put private pages in. May be called with the address space locked for reading.
  void set_has_anonymous() {
    if (!has(AreaFlag::has_anonymous)) set(AreaFlag::has_anonymous);
  }
  // Room that must stay free below an area that grows down.
  std::uintptr_t guard_below() const;

 private:
  friend class AddressSpace;
  friend class MemoryObject;
  friend struct Mapper;
  friend struct ObjectMappings;
  friend struct AreaOperations;
  template <typename AreaType>
  friend class AreaSet;

  void set(AreaFlag flag) { flags_.fetch_or(static_cast<std::uint32_t>(flag), std::memory_order_relaxed); }
  void clear(AreaFlag flag) {
    flags_.fetch_and(~static_cast<std::uint32_t>(flag), std::memory_order_relaxed);
  }

  base::TreeHook tree_hook_;
  std::uintptr_t start_ = 0, end_ = 0;
  std::uintptr_t gap_before_ = 0;   // free bytes between the previous area and this one
  std::uintptr_t largest_gap_ = 0;  // of the subtree
  AddressSpace* space_ = nullptr;
  std::atomic<std::uint32_t> flags_{0};
  Protection protection_ = Protection::none;
  Protection maximum_protection_ = Protection::all;
  std::uint64_t first_index_ = 0;
  base::RefPtr<MemoryObject> object_;
  MappedFile* file_ = nullptr;
  const char* name_ = nullptr;  // "[heap]"; static text
  base::RefPtr<FaultMonitor> monitor_;
  std::uint32_t policy_ = 0;
  base::ListHook mapping_hook_;  // MemoryObject::mappings_
};

}  // namespace core
