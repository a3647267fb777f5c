// Slabs: cutting pages into slots, and the lists of slabs that have some free.
#include <arch/cpu.h>

#include <bit>
#include <cstring>
#include <string_view>

#include "core/memory/kasan.h"
#include "slab_internal.h"

namespace core {
namespace {

constinit SlabState states[max_slab_caches];
constinit SpinLock registration_lock{"slab registration"};
constinit std::atomic<std::uint32_t> registered{0};  // caches 1..registered exist

// Empty slabs a cache keeps for its next burst.
constexpr std::uint32_t empty_slabs_kept = 1;

std::uint32_t first_free(const Page& slab) { return slab.detail.load(std::memory_order_relaxed) & 0xffff; }
std::uint32_t in_use(const Page& slab) { return slab.detail.load(std::memory_order_relaxed) >> 16; }
void set_detail(Page& slab, std::uint32_t free_index, std::uint32_t used) {
  // relaxed: read and written under the cache's lock.
  slab.detail.store(free_index | used << 16, std::memory_order_relaxed);
}

// SAFETY (list links): the words of a slab's descriptor are list neighbours, under the cache's lock.
Page*& next_of(Page& slab) { return reinterpret_cast<Page*&>(slab.words[0]); }
Page*& previous_of(Page& slab) { return reinterpret_cast<Page*&>(slab.words[1]); }

void link(Page*& list, Page& slab) {
  next_of(slab) = list;
  previous_of(slab) = nullptr;
  if (list) previous_of(*list) = &slab;
  list = &slab;
}
void unlink(Page*& list, Page& slab) {
  if (previous_of(slab))
    next_of(*previous_of(slab)) = next_of(slab);
  else
    list = next_of(slab);
  if (next_of(slab)) previous_of(*next_of(slab)) = previous_of(slab);
}

std::uint64_t mask_of(const SlabState& state, const void* slot) {
  // SAFETY: the address is only a number here.
  return state.secret ^ __builtin_bswap64(reinterpret_cast<std::uint64_t>(slot));
}
// Instrumented builds poison free slots, so links are accessed without checks.
__attribute__((no_sanitize("kernel-address"))) void write_link(const SlabState& state, void* slot,
                                                               std::uint32_t next) {
  *static_cast<volatile std::uint64_t*>(slot) = next ^ mask_of(state, slot);
}
__attribute__((no_sanitize("kernel-address"))) std::uint32_t read_link(const SlabState& state,
                                                                       const void* slot) {
  std::uint64_t value = *static_cast<const volatile std::uint64_t*>(slot) ^ mask_of(state, slot);
  base::verify(value < state.slots_per_slab || value == no_slot, "slab: a freed object was written to");
  return static_cast<std::uint32_t>(value);
}

std::byte* slot_at(const SlabState& state, const Page& slab, std::uint32_t index) {
  return data_of<std::byte>(slab) + std::size_t{index} * state.slot_size;
}

// A slab with all slots free, in no list.
Page* make_slab(SlabState& state, std::uint32_t id, AllocationFlags flags) {
  std::uint32_t passed =
      static_cast<std::uint32_t>(flags) & ~static_cast<std::uint32_t>(AllocationFlags::zero);
  auto block = allocate_pages(state.order, static_cast<AllocationFlags>(passed) | AllocationFlags::compound);
  if (!block) return nullptr;
  Page& slab = **block;
  for (std::size_t i = 0; i < std::size_t{1} << state.order; ++i) (&slab)[i].set(PageFlag::slab);
  slab.map_count.store(static_cast<std::int32_t>(id), std::memory_order_relaxed);
  if constexpr (slab_debug_build) {
    for (std::uint32_t i = 0; i < state.slots_per_slab; ++i) slab_mark_freed(state, slot_at(state, slab, i));
  }
  for (std::uint32_t i = 0; i < state.slots_per_slab; ++i)
    write_link(state, slot_at(state, slab, i), i + 1 < state.slots_per_slab ? i + 1 : no_slot);
  if constexpr (slab_traces_build) {
    for (std::uint32_t i = 0; i < state.slots_per_slab; ++i) slab_trace_clear(state, slot_at(state, slab, i));
  }
  kasan_poison(data_of(slab), page_size << state.order, KasanPoison::slab_slack);
  set_detail(slab, 0, 0);
  count_memory(MemoryCounter::slab, 1l << state.order);
  return &slab;
}

void destroy_slab(SlabState& state, Page& slab) {
  for (std::size_t i = 0; i < std::size_t{1} << state.order; ++i) (&slab)[i].clear(PageFlag::slab);
  slab.map_count.store(0, std::memory_order_relaxed);
  count_memory(MemoryCounter::slab, -(1l << state.order));
  release_page(slab);
}

void choose_geometry(SlabState& state, const SlabCache& cache, std::size_t alignment) {
  std::size_t size = cache.object_size();
  bool is_size_class = std::string_view(cache.name()).starts_with("kmalloc-");
  if (!is_size_class) size += red_zone_size;
  if (size < 8) size = 8;
  if (alignment < 8) alignment = 8;
  state.slot_size = static_cast<std::uint32_t>(base::align_up(size, alignment));
  // The smallest block that wastes no more than an eighth and holds a few.
  unsigned order = 0;
  for (; order < 3; ++order) {
    std::size_t block = page_size << order;
    std::size_t waste = block % (state.slot_size + slot_trace_size);
    if (block / state.slot_size >= (state.slot_size <= 512 ? 8u : 4u) && waste * 8 <= block) break;
  }
  while ((page_size << order) < state.slot_size + slot_trace_size) ++order;
  state.order = static_cast<std::uint8_t>(order);
  state.slots_per_slab =
      static_cast<std::uint16_t>((page_size << order) / (state.slot_size + slot_trace_size));
  state.magazine_capacity = state.slot_size <= 256 ? 30 : state.slot_size <= 1024 ? 14 : 6;
}

}  // namespace

SlabState& SlabInternals::state(std::uint32_t id) { return states[id]; }
std::uint32_t SlabInternals::cache_count() { return registered.load(std::memory_order_acquire); }

std::uint32_t SlabInternals::registered_id(SlabCache& cache) {
  // acquire: pairs with the release below, so the state is complete.
  if (std::uint32_t id = cache.id_.load(std::memory_order_acquire)) [[likely]]
    return id;
  SpinGuard<PreemptOff> guard{registration_lock};
  if (std::uint32_t id = cache.id_.load(std::memory_order_relaxed)) return id;
  std::uint32_t id = registered.load(std::memory_order_relaxed) + 1;
  base::verify(id < max_slab_caches, "more slab caches than room");
  states[id].cache = &cache;
  states[id].secret = arch::random_seed();
  choose_geometry(states[id], cache, cache.alignment_);
  registered.store(id, std::memory_order_release);
  cache.id_.store(id, std::memory_order_release);
  return id;
}

Page* SlabInternals::slab_of(const void* object) {
  PhysicalAddress address = to_physical(object);
  if (!page_exists(address)) return nullptr;
  Page* page = page_of(address).head();
  return page->has(PageFlag::slab) ? page : nullptr;
}

bool describe_slab_object(const void* address, base::TextSink& sink) {
  Page* slab = SlabInternals::slab_of(address);
  if (!slab) return false;
  SlabState& state = states[slab->map_count.load(std::memory_order_relaxed)];
  auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - data_of<std::byte>(*slab));
  base::format(
      sink, "{} bytes into object {} of slab cache {} (objects of {} bytes)", offset % state.slot_size,
      static_cast<const void*>(data_of<std::byte>(*slab) + offset / state.slot_size * state.slot_size),
      state.cache->name(), state.cache->object_size());
  return true;
}

std::uint32_t SlabInternals::take_slots(SlabState& state, void** slots, std::uint32_t wanted,
                                        AllocationFlags flags) {
  std::uint32_t id = state.cache->id_.load(std::memory_order_relaxed);
  Page* fresh = nullptr;
  for (;;) {
    std::uint32_t taken = 0;
    {
      SpinGuard<PreemptOff> guard{state.lock};
      if (fresh) {
        link(state.partial, *fresh);
        ++state.slabs;
        ++state.empty_slabs;
      }
      while (taken < wanted && state.partial) {
        Page& slab = *state.partial;
        std::uint32_t index = first_free(slab), used = in_use(slab);
        if (used == 0) --state.empty_slabs;
        while (taken < wanted && index != no_slot) {
          slots[taken] = slot_at(state, slab, index);
          index = read_link(state, slots[taken++]);
          ++used;
        }
        set_detail(slab, index, used);
        if (index == no_slot) unlink(state.partial, slab);
      }
      state.slots_in_use += taken;
    }
    if (taken) return taken;
    fresh = make_slab(state, id, flags);
    if (!fresh) return 0;
  }
}

void SlabInternals::give_slots(SlabState& state, void* const* slots, std::uint32_t count) {
  Page* unused = nullptr;
  {
    SpinGuard<PreemptOff> guard{state.lock};
    state.slots_in_use -= count;
    for (std::uint32_t i = 0; i < count; ++i) {
      Page& slab = *page_of_data(slots[i]).head();
      auto offset = static_cast<std::size_t>(static_cast<std::byte*>(slots[i]) - data_of<std::byte>(slab));
      auto index = static_cast<std::uint32_t>(offset / state.slot_size);
      base::debug_verify(index * std::size_t{state.slot_size} == offset,
                         "slab: free of the middle of an object");
      std::uint32_t head = first_free(slab), used = in_use(slab);
      base::verify(used > 0 && head != index, "slab: object freed twice");
      write_link(state, slots[i], head);
      set_detail(slab, index, used - 1);
      if (head == no_slot) link(state.partial, slab);
      if (used > 1) continue;
      if (state.empty_slabs < empty_slabs_kept) {
        ++state.empty_slabs;
        continue;
      }
      unlink(state.partial, slab);
      --state.slabs;
      next_of(slab) = unused;
      unused = &slab;
    }
  }
  while (unused) {
    Page& slab = *unused;
    unused = next_of(slab);
    destroy_slab(state, slab);
  }
}

std::uint64_t SlabInternals::release_empty_slabs(SlabState& state) {
  std::uint64_t freed = 0;
  for (;;) {
    Page* found = nullptr;
    {
      SpinGuard<PreemptOff> guard{state.lock};
      if (!state.empty_slabs) return freed;
      // At most a few are empty; they tend to be at the front. The walk is bounded so that the lock is held
      // for short.
      unsigned steps = 0;
      for (Page* slab = state.partial; slab && steps < 64; slab = next_of(*slab), ++steps) {
        if (in_use(*slab)) continue;
        found = slab;
        break;
      }
      if (!found) return freed;
      unlink(state.partial, *found);
      --state.empty_slabs;
      --state.slabs;
    }
    destroy_slab(state, *found);
    freed += std::uint64_t{1} << state.order;
  }
}

void for_each_slab_cache(base::FunctionRef<void(const SlabStatistics&)> visit) {
  for (std::uint32_t id = 1; id <= SlabInternals::cache_count(); ++id) {
    SlabState& state = SlabInternals::state(id);
    SlabStatistics statistics{};
    {
      SpinGuard<PreemptOff> guard{state.lock};
      statistics.active_objects = state.slots_in_use;
      statistics.slabs = state.slabs;
    }
    statistics.name = state.cache->name();
    statistics.object_size = state.cache->object_size();
    statistics.slot_size = state.slot_size;
    statistics.objects_per_slab = state.slots_per_slab;
    statistics.pages_per_slab = 1u << state.order;
    statistics.total_objects = statistics.slabs * state.slots_per_slab;
    visit(statistics);
  }
}

}  // namespace core
