// Who allocated the objects that live, by call path: debug builds only.
//
// Each slot of a slab has a number behind the last slot of its block that says which call path took it; the
// paths are kept once, in a table that only grows, with how many of their objects live. Free slots in
// magazines and in quarantine do not count, so after the same work twice the figures are the same, and what
// grew was lost. debugfs shows them: slab/CACHE/alloc_traces.
//
// Context: any that may allocate. Nothing locks: a number is its object's, counts are atomic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/function_ref.h"

namespace core {

#ifdef NOS_HOST
inline constexpr bool slab_traces_build = false;
#else
inline constexpr bool slab_traces_build = base::debug_build;
#endif

struct SlabTrace {
  std::uint32_t live_objects;
  std::span<const std::uintptr_t> addresses;  // innermost first, the allocator's own functions included
};
// Caches are numbered from 1 on as for_each_slab_cache() visits them. Paths without a living object are left
// out. An empty trace stands for the objects whose path found no room in the table.
void for_each_slab_trace(std::uint32_t id, base::FunctionRef<void(const SlabTrace&)> visit);
// All of a cache, without those in magazines.
std::uint32_t slab_live_objects(std::uint32_t id);

}  // namespace core
