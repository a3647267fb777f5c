// Slabs behind the per-CPU magazines.
//
// A slab is a block of pages cut into slots. Its descriptor (the Page of the first page) holds:
//   words[0], words[1]   neighbours in the list of slabs with free slots; the list is the cache's `partial`
//   detail               low half: index of the first free slot (none: 0xffff); high half: slots handed out
//   map_count            the number of the cache
// Tail pages point to the first one (PageFlag::compound_tail). A free slot's first word is the index of the
// next free one, hidden (see hide()): whoever overwrites it after free is found with probability 1 - 2^-48.
#pragma once

#include <cstdint>

#include "core/memory/kasan.h"
#include "core/memory/slab.h"
#include "core/memory/slab_traces.h"
#include "core/sync/spin_lock.h"

namespace core {

inline constexpr std::uint32_t max_slab_caches = 512;
inline constexpr std::uint32_t no_slot = 0xffff;

struct SlabState {
  SlabCache* cache = nullptr;
  std::uint32_t slot_size = 0;
  std::uint16_t slots_per_slab = 0;
  std::uint8_t order = 0;
  std::uint8_t magazine_capacity = 0;
  std::uint64_t secret = 0;
  // Held while one batch of slots moves.
  SpinLock lock{"slab cache"};
  Page* partial GUARDED_BY(lock) = nullptr;  // slabs with a free slot
  std::uint32_t empty_slabs GUARDED_BY(lock) = 0;
  std::uint64_t slabs GUARDED_BY(lock) = 0;
  std::uint64_t slots_in_use GUARDED_BY(lock) = 0;
};

struct SlabInternals {
  static SlabState& state(std::uint32_t id);
  static std::uint32_t id_of(const SlabCache& cache) { return cache.id_.load(std::memory_order_acquire); }
  static std::uint32_t registered_id(SlabCache& cache);
  // Up to `wanted` slots into `slots`; gives how many.
  static std::uint32_t take_slots(SlabState& state, void** slots, std::uint32_t wanted,
                                  AllocationFlags flags);
  static void give_slots(SlabState& state, void* const* slots, std::uint32_t count);
  static std::uint64_t release_empty_slabs(SlabState& state);
  static std::uint32_t cache_count();
  static Page* slab_of(const void* object);
};

// Debug builds: who allocated what (slab_traces.cpp). Bytes for each slot at the end of its block.
inline constexpr std::size_t slot_trace_size = slab_traces_build ? 4 : 0;
void slab_trace_clear(const SlabState& state, void* slot);
void slab_trace_allocated(std::uint32_t id, void* object);
void slab_trace_freed(std::uint32_t id, void* object);

// Debug builds: filling and checking of freed objects, and the quarantine (slab_debug.cpp).
inline constexpr bool slab_debug_build = base::debug_build && !kasan_build;
inline constexpr std::size_t red_zone_size = slab_debug_build ? 8 : 0;
void slab_check_allocated(const SlabState& state, void* object);
void slab_mark_freed(const SlabState& state, void* object);
// Takes the object into quarantine and gives the one that leaves it instead (null: none yet).
void* slab_quarantine(void* object, std::uint32_t& id);

}  // namespace core
