// The allocators' side of the address sanitizer (core/sanitizer): nothing at all except in KASAN builds.
//
// One shadow byte tells about 8 bytes of the direct map: 0 all may be touched, 1..7 only the first so many,
// else none, and why (KasanPoison). Instrumented code asks before every access. Other kernel addresses are
// not tracked: mappings have guard pages.
#pragma once

#include <cstddef>
#include <cstdint>

namespace core {

#ifndef NOS_KASAN
#define NOS_KASAN 0
#endif
inline constexpr bool kasan_build = NOS_KASAN != 0;

enum class KasanPoison : std::uint8_t {
  free_page = 0xff,
  slab_slack = 0xfc,  // between objects
  slab_free = 0xfb,   // freed object
};

#if NOS_KASAN
// `start` is a multiple of 8; the end of a poisoned range is rounded up.
void kasan_poison(const void* start, std::size_t size, KasanPoison value);
void kasan_unpoison(const void* start, std::size_t size);
// Reports an object that is freed a second time.
void kasan_verify_allocated(const void* object);
// `shadow` has a byte for every 8 of [0, ram_bytes) of the direct map, all zero.
void kasan_initialize(void* shadow, std::uint64_t ram_bytes);
#else
inline void kasan_poison(const void*, std::size_t, KasanPoison) {}
inline void kasan_unpoison(const void*, std::size_t) {}
inline void kasan_verify_allocated(const void*) {}
inline void kasan_initialize(void*, std::uint64_t) {}
#endif

}  // namespace core
