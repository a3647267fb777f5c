// Kernel objects: caches of equal-sized slots, and operator new on top of them.
//
//   constinit ObjectCache<Dentry> dentries{"dentry"};        // namespace scope, no initialisation order to
//   care about Dentry* dentry = TRY(dentries.create(name, parent)); dentries.destroy(dentry);
//
//   auto* thing = new (std::nothrow) Thing;                  // size classes 8..8192, larger ones get pages
//
// Each CPU keeps a magazine of free slots per cache: allocating and freeing is a handful of instructions with
// preemption off, no lock, no atomic operation. Behind it, slabs (blocks of 1 to 8 pages) with the free slots
// threaded through themselves; the links are hidden with a secret and checked, so that a write after free
// cannot be aimed.
//
// Context: threads, also with preemption off (then without reclaim); never hard interrupts. Every allocation
// can fail, and failure injection (failure_injection.h) makes sure that callers are prepared.
//
// Debug builds fill freed slots with 0x6b and check that on reuse, keep freed slots in quarantine for a
// while, and put a red zone behind objects; KASAN builds poison the shadow instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "base/format.h"
#include "base/function_ref.h"
#include "base/result.h"
#include "core/memory/page_allocator.h"

namespace core {

class SlabCache {
 public:
  constexpr SlabCache(const char* name, std::size_t object_size, std::size_t alignment)
      : name_(name),
        object_size_(static_cast<std::uint32_t>(object_size)),
        alignment_(static_cast<std::uint32_t>(alignment)) {}
  SlabCache(const SlabCache&) = delete;
  SlabCache& operator=(const SlabCache&) = delete;

  // Null when there is no memory.
  void* allocate(AllocationFlags flags = AllocationFlags::none);
  void free(void* object);

  const char* name() const { return name_; }
  std::size_t object_size() const { return object_size_; }

 private:
  friend struct SlabInternals;  // core/memory/kernel/src/slab*.cpp: everything behind the magazines

  const char* name_;
  std::uint32_t object_size_;
  std::uint32_t alignment_;
  // Set by registration at the first allocation, constant afterwards; 0 = not registered yet.
  std::atomic<std::uint32_t> id_{0};
};

template <typename T>
class ObjectCache {
 public:
  constexpr explicit ObjectCache(const char* name) : cache_(name, sizeof(T), alignof(T)) {}

  template <typename... Arguments>
  Result<T*> create(Arguments&&... arguments) {
    void* memory = cache_.allocate();
    if (!memory) return error(Errno::enomem);
    return std::construct_at(static_cast<T*>(memory), std::forward<Arguments>(arguments)...);
  }
  void destroy(T* object) {
    if (!object) return;
    std::destroy_at(object);
    cache_.free(object);
  }
  SlabCache& cache() { return cache_; }

 private:
  SlabCache cache_;
};

// What operator new(std::nothrow) and operator delete call. Alignment: the size rounded up to a power of two,
// at most 16 unless the size itself is a power of two.
void* kernel_allocate(std::size_t size, AllocationFlags flags = AllocationFlags::none);
void kernel_free(void* memory);
// Bytes usable at `memory`, at least what was asked for.
std::size_t kernel_allocation_size(const void* memory);

struct SlabStatistics {
  const char* name;
  std::size_t object_size;       // as asked for
  std::size_t slot_size;         // with alignment and red zones
  std::uint64_t active_objects;  // magazines count as active
  std::uint64_t total_objects;
  std::uint32_t objects_per_slab;
  std::uint32_t pages_per_slab;
  std::uint64_t slabs;
};
// In the order of registration; for /proc/slabinfo.
void for_each_slab_cache(base::FunctionRef<void(const SlabStatistics&)> visit);
// For reports: which object of which cache an address of the direct map is in; false if in none.
bool describe_slab_object(const void* address, base::TextSink& sink);
// Gives empty slabs and this CPU's full magazines back to the page allocator; number of pages freed.
std::uint64_t shrink_slab_caches();

}  // namespace core
