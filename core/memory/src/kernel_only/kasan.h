// The allocators' side of the address sanitizer: nothing at all except in KASAN builds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace core {

#ifndef NOS_KASAN
#define NOS_KASAN 0
#endif
inline constexpr bool kasan_build = NOS_KASAN != 0;

// Shadow values for memory that must not be touched; the report names them.
enum class KasanPoison : std::uint8_t {
  free_page = 0xff,
  slab_slack = 0xfc,   // between objects
  slab_free = 0xfb,    // freed object
  virtual_guard = 0xf8,
};

#if NOS_KASAN
void kasan_poison(const void* start, std::size_t size, KasanPoison value);
void kasan_unpoison(const void* start, std::size_t size);
// Shadow memory for a kernel range that has none yet (vmalloc); false without memory.
bool kasan_map_shadow(const void* start, std::size_t size);
void kasan_initialize(std::uintptr_t shadow_base);
#else
inline void kasan_poison(const void*, std::size_t, KasanPoison) {}
inline void kasan_unpoison(const void*, std::size_t) {}
inline bool kasan_map_shadow(const void*, std::size_t) { return true; }
inline void kasan_initialize(std::uintptr_t) {}
#endif

}  // namespace core
