// The fast paths: magazines of free slots, one for each CPU and cache.
#include "core/memory/slab.h"

#include <bit>
#include <cstring>

#include "core/memory/kasan.h"
#include "core/memory/kernel_map.h"
#include "core/sync/per_cpu.h"
#include "core/sync/preempt.h"
#include "failure_point.h"
#include "slab_internal.h"

namespace core {
namespace {

struct Magazine {
  static constexpr std::uint32_t most = 31;
  std::uint32_t count = 0;
  std::uint32_t capacity = 0;
  void* slots[most];
};
static_assert(sizeof(Magazine) == 256);

struct CpuMagazines {
  Magazine* of_cache[max_slab_caches] = {};
};
PER_CPU constinit PerCpu<CpuMagazines> magazines;

constinit SlabCache magazine_cache{"slab-magazine", sizeof(Magazine), 64};

// Magazines come straight from slabs, never from a magazine.
Magazine* make_magazine(const SlabState& state) {
  SlabState& own = SlabInternals::state(SlabInternals::registered_id(magazine_cache));
  void* memory;
  if (!SlabInternals::take_slots(own, &memory, 1, AllocationFlags::atomic)) return nullptr;
  kasan_unpoison(memory, sizeof(Magazine));
  auto* magazine = std::construct_at(static_cast<Magazine*>(memory));
  magazine->capacity = state.magazine_capacity;
  return magazine;
}

void* allocate_slowly(std::uint32_t id, AllocationFlags flags) {
  SlabState& state = SlabInternals::state(id);
  void* slots[Magazine::most];
  std::uint32_t wanted = state.magazine_capacity / 2 + 1;
  std::uint32_t got = SlabInternals::take_slots(state, slots, wanted, flags);
  if (!got) return nullptr;
  if (got > 1) {
    PreemptOff pinned;
    Magazine*& magazine = magazines.local().of_cache[id];
    if (!magazine) magazine = make_magazine(state);
    // We may be on another CPU than before, whose magazine is full: what does not fit goes back.
    while (magazine && got > 1 && magazine->count < magazine->capacity)
      magazine->slots[magazine->count++] = slots[--got];
  }
  if (got > 1) SlabInternals::give_slots(state, slots + 1, got - 1);
  return slots[0];
}

void free_slowly(std::uint32_t id, void* object) {
  SlabState& state = SlabInternals::state(id);
  void* slots[Magazine::most];
  std::uint32_t count = 0;
  {
    PreemptOff pinned;
    Magazine*& magazine = magazines.local().of_cache[id];
    if (!magazine) magazine = make_magazine(state);
    if (magazine) {
      if (magazine->count == magazine->capacity)
        while (count < magazine->capacity / 2u + 1) slots[count++] = magazine->slots[--magazine->count];
      magazine->slots[magazine->count++] = object;
    } else {
      slots[count++] = object;
    }
  }
  if (count) SlabInternals::give_slots(state, slots, count);
}

void put_into_magazine(std::uint32_t id, void* object) {
  {
    PreemptOff pinned;
    Magazine* magazine = magazines.local().of_cache[id];
    if (magazine && magazine->count < magazine->capacity) [[likely]] {
      magazine->slots[magazine->count++] = object;
      return;
    }
  }
  free_slowly(id, object);
}

void free_to_cache(std::uint32_t id, void* object) {
  if constexpr (slab_debug_build) {
    if constexpr (slab_traces_build) slab_trace_freed(id, object);
    slab_mark_freed(SlabInternals::state(id), object);
    object = slab_quarantine(object, id);
    if (!object) return;
  } else if constexpr (kasan_build) {
    kasan_verify_allocated(object);
    if constexpr (slab_traces_build) slab_trace_freed(id, object);
    kasan_poison(object, SlabInternals::state(id).slot_size, KasanPoison::slab_free);
    object = slab_quarantine(object, id);
    if (!object) return;
  }
  put_into_magazine(id, object);
}

}  // namespace

void* SlabCache::allocate(AllocationFlags flags) {
  std::uint32_t id = SlabInternals::registered_id(*this);
  if (should_fail(flags)) [[unlikely]]
    return nullptr;
  void* object = nullptr;
  {
    PreemptOff pinned;
    Magazine* magazine = magazines.local().of_cache[id];
    if (magazine && magazine->count) [[likely]]
      object = magazine->slots[--magazine->count];
  }
  if (!object) [[unlikely]] {
    object = allocate_slowly(id, flags);
    if (!object) return nullptr;
  }
  if constexpr (slab_debug_build) slab_check_allocated(SlabInternals::state(id), object);
  if constexpr (slab_traces_build) slab_trace_allocated(id, object);
  kasan_unpoison(object, object_size_);
  if (has(flags, AllocationFlags::zero)) std::memset(object, 0, object_size_);
  return object;
}

void SlabCache::free(void* object) {
  if (!object) return;
  std::uint32_t id = SlabInternals::id_of(*this);
  if constexpr (base::debug_build) {
    Page* slab = SlabInternals::slab_of(object);
    base::verify(slab && static_cast<std::uint32_t>(slab->map_count.load(std::memory_order_relaxed)) == id,
                 "object freed to a cache it does not come from");
  }
  free_to_cache(id, object);
}

// --- Sizes

namespace {

constexpr std::size_t class_sizes[] = {8,   16,  32,   48,   64,   96,   128,  192,  256, 384,
                                       512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192};
constexpr unsigned class_count = sizeof(class_sizes) / sizeof(class_sizes[0]);
constexpr std::size_t largest_class = class_sizes[class_count - 1];

// A power of two is aligned to itself (up to a page), others to 16 (8: to 8).
constexpr std::size_t class_alignment(std::size_t size) {
  if (!base::is_power_of_two(size)) return size % 64 == 0 ? 64 : 16;
  return size < page_size ? size : page_size;
}

constinit SlabCache size_classes[class_count] = {
    {"kmalloc-8", 8, class_alignment(8)},        {"kmalloc-16", 16, class_alignment(16)},
    {"kmalloc-32", 32, class_alignment(32)},     {"kmalloc-48", 48, class_alignment(48)},
    {"kmalloc-64", 64, class_alignment(64)},     {"kmalloc-96", 96, class_alignment(96)},
    {"kmalloc-128", 128, class_alignment(128)},  {"kmalloc-192", 192, class_alignment(192)},
    {"kmalloc-256", 256, class_alignment(256)},  {"kmalloc-384", 384, class_alignment(384)},
    {"kmalloc-512", 512, class_alignment(512)},  {"kmalloc-768", 768, class_alignment(768)},
    {"kmalloc-1k", 1024, class_alignment(1024)}, {"kmalloc-1536", 1536, class_alignment(1536)},
    {"kmalloc-2k", 2048, class_alignment(2048)}, {"kmalloc-3k", 3072, class_alignment(3072)},
    {"kmalloc-4k", 4096, class_alignment(4096)}, {"kmalloc-6k", 6144, class_alignment(6144)},
    {"kmalloc-8k", 8192, class_alignment(8192)},
};

constexpr unsigned search_class(std::size_t size) {
  unsigned index = 0;
  while (class_sizes[index] < size) ++index;
  return index;
}
// For sizes up to 1024 in steps of 8.
struct SmallTable {
  std::uint8_t index[129];
  constexpr SmallTable() : index{} {
    for (unsigned i = 0; i <= 128; ++i) index[i] = static_cast<std::uint8_t>(search_class(i ? i * 8 : 1));
  }
};
constexpr SmallTable small_table;

unsigned class_of(std::size_t size) {
  if (size <= 1024) [[likely]]
    return small_table.index[(size + 7) / 8];
  return search_class(size);
}

unsigned order_for(std::size_t size) {
  return size <= page_size ? 0 : static_cast<unsigned>(std::bit_width((size - 1) >> page_shift));
}

void* allocate_large(std::size_t size, AllocationFlags flags) {
  if (should_fail(flags)) return nullptr;
  unsigned order = order_for(size);
  if (order > 3 && may_sleep() && !has(flags, AllocationFlags::atomic)) {
    auto memory = allocate_virtual(size, flags);
    return memory ? *memory : nullptr;
  }
  auto page = allocate_pages(order, flags | AllocationFlags::compound);
  if (!page) return nullptr;
  (*page)->set(PageFlag::large);
  count_memory(MemoryCounter::slab, 1l << order);
  return data_of(**page);
}

}  // namespace

void* kernel_allocate(std::size_t size, AllocationFlags flags) {
  if (size > largest_class) [[unlikely]]
    return allocate_large(size, flags);
  return size_classes[class_of(size)].allocate(flags);
}

void kernel_free(void* memory) {
  if (!memory) return;
  if (is_virtual_allocation(memory)) [[unlikely]]
    return free_virtual(memory);
  Page& page = *page_of_data(memory).head();
  if (page.has(PageFlag::slab)) [[likely]]
    return free_to_cache(static_cast<std::uint32_t>(page.map_count.load(std::memory_order_relaxed)), memory);
  base::verify(page.has(PageFlag::large), "free of memory that was not allocated");
  unsigned order = page.has(PageFlag::compound_head) ? page.order() : 0;
  count_memory(MemoryCounter::slab, -(1l << order));
  release_page(page);
}

std::size_t kernel_allocation_size(const void* memory) {
  if (is_virtual_allocation(memory)) return virtual_allocation_size(memory);
  Page& page = *page_of_data(memory).head();
  if (page.has(PageFlag::slab)) {
    auto id = static_cast<std::uint32_t>(page.map_count.load(std::memory_order_relaxed));
    return SlabInternals::state(id).cache->object_size();
  }
  return page_size << (page.has(PageFlag::compound_head) ? page.order() : 0);
}

std::uint64_t shrink_slab_caches() {
  std::uint64_t freed = 0;
  for (std::uint32_t id = 1; id <= SlabInternals::cache_count(); ++id) {
    SlabState& state = SlabInternals::state(id);
    void* slots[Magazine::most];
    std::uint32_t count = 0;
    {
      PreemptOff pinned;
      Magazine* magazine = magazines.local().of_cache[id];
      if (magazine)
        while (magazine->count) slots[count++] = magazine->slots[--magazine->count];
    }
    if (count) SlabInternals::give_slots(state, slots, count);
    freed += SlabInternals::release_empty_slabs(state);
  }
  return freed;
}

}  // namespace core
