// The address sanitizer's run-time part: every load and store of instrumented code comes by here (outline
// mode: the compiler calls __asan_loadN and __asan_storeN instead of looking at the shadow itself, so where
// the shadow lies is our business alone).
#include "core/memory/kasan.h"

#if NOS_KASAN
#include <cstring>

#include "core/init/panic.h"
#include "core/init/symbols.h"
#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/memory/page.h"
#include "core/memory/slab.h"

namespace core {
namespace {

constinit std::int8_t* shadow = nullptr;
constinit std::uintptr_t tracked_start = 0, tracked_size = 0;
constinit bool reporting = false;

std::uintptr_t number(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address);
}  // SAFETY: compared only

bool is_tracked(std::uintptr_t address) { return address - tracked_start < tracked_size; }

// The first byte of [address, address + size) that must not be touched; 0 if there is none.
std::uintptr_t first_bad(std::uintptr_t address, std::size_t size) {
  std::uintptr_t offset = address - tracked_start, end = offset + size;
  for (std::uintptr_t at = offset; at < end;) {
    std::int8_t state = shadow[at >> 3];
    std::uintptr_t granule_end = (at | 7) + 1, last = (granule_end < end ? granule_end : end) - 1;
    if (state != 0 && (state < 0 || static_cast<std::int8_t>(last & 7) >= state)) {
      if (state > 0 && (at & 7) < static_cast<unsigned>(state))
        return tracked_start + (at & ~std::uintptr_t{7}) + static_cast<unsigned>(state);
      return tracked_start + at;
    }
    at = granule_end;
  }
  return 0;
}

const char* kind_of(std::uintptr_t bad) {
  auto state = static_cast<std::uint8_t>(shadow[(bad - tracked_start) >> 3]);
  if (state < 8) state = static_cast<std::uint8_t>(KasanPoison::slab_slack);
  switch (static_cast<KasanPoison>(state)) {
    case KasanPoison::free_page:
      return "use of a free page";
    case KasanPoison::slab_slack:
      return "slab out of bounds";
    case KasanPoison::slab_free:
      return "use after free";
  }
  return "wild access";
}

void print_shadow(std::uintptr_t bad) {
  std::uintptr_t middle = (bad - tracked_start) >> 3 & ~std::uintptr_t{15};
  for (std::uintptr_t row = middle < 32 ? 0 : middle - 32;
       row <= middle + 32 && row + 16 <= tracked_size >> 3; row += 16) {
    LogLine line{LogLevel::emergency};
    base::format(line, "{} {:#018x}:", row == middle ? ">" : " ", tracked_start + (row << 3));
    for (unsigned i = 0; i < 16; ++i)
      base::format(line, " {:02x}", static_cast<std::uint8_t>(shadow[row + i]));
  }
}

[[noreturn]] void report(const char* what, std::uintptr_t address, std::size_t size, std::uintptr_t bad,
                         const char* access) {
  reporting = true;
  log(LogLevel::emergency, "==================================================================");
  log(LogLevel::emergency, "BUG: KASAN: {} at {:#018x}", what, bad);
  log(LogLevel::emergency, "{} of size {} at {:#018x}", access, size, address);
  {
    LogLine line{LogLevel::emergency};
    // SAFETY: only described.
    if (!describe_slab_object(reinterpret_cast<const void*>(bad), line))
      base::format(line, "not in a slab object");
  }
  print_shadow(bad);
  panic("KASAN: {} ({} of size {})", what, access, size);
}

inline void check(std::uintptr_t address, std::size_t size, const char* access) {
  if (!is_tracked(address) || size == 0) return;
  // The usual case: within one granule that is fully accessible.
  if (shadow[(address - tracked_start) >> 3] == 0 && (address & 7) + size <= 8) [[likely]]
    return;
  std::uintptr_t bad = first_bad(address, size);
  if (!bad || reporting) [[likely]]
    return;
  report(kind_of(bad), address, size, bad, access);
}

void set(const void* start, std::size_t size, std::uint8_t value) {
  std::uintptr_t offset = number(start) - tracked_start;
  if (offset >= tracked_size) return;
  std::memset(shadow + (offset >> 3), value, (size + 7) >> 3);
}

}  // namespace

void kasan_initialize(void* memory, std::uint64_t ram_bytes) {
  shadow = static_cast<std::int8_t*>(memory);
  tracked_start = direct_map_base;
  tracked_size = ram_bytes;
}

void kasan_poison(const void* start, std::size_t size, KasanPoison value) {
  set(start, size, static_cast<std::uint8_t>(value));
}

void kasan_unpoison(const void* start, std::size_t size) {
  set(start, size & ~std::size_t{7}, 0);
  if (std::size_t rest = size & 7)
    set(static_cast<const std::byte*>(start) + (size - rest), 1, static_cast<std::uint8_t>(rest));
}

void kasan_verify_allocated(const void* object) {
  std::uintptr_t address = number(object);
  if (!is_tracked(address) || reporting) return;
  std::int8_t state = shadow[(address - tracked_start) >> 3];
  if (state < 0)
    report(state == static_cast<std::int8_t>(KasanPoison::slab_free) ? "double free" : "invalid free",
           address, 1, address, "Free");
}

}  // namespace core

// SAFETY (below): addresses come from the instrumented code as numbers.
#define KASAN_SIZE(size)                                                        \
  extern "C" void __asan_load##size##_noabort(std::uintptr_t address) {         \
    core::check(address, size, "Read");                                         \
  }                                                                             \
  extern "C" void __asan_store##size##_noabort(std::uintptr_t address) {        \
    core::check(address, size, "Write");                                        \
  }                                                                             \
  extern "C" void __asan_report_load##size##_noabort(std::uintptr_t address) {  \
    core::check(address, size, "Read");                                         \
  }                                                                             \
  extern "C" void __asan_report_store##size##_noabort(std::uintptr_t address) { \
    core::check(address, size, "Write");                                        \
  }
KASAN_SIZE(1)
KASAN_SIZE(2)
KASAN_SIZE(4)
KASAN_SIZE(8)
KASAN_SIZE(16)
#undef KASAN_SIZE

extern "C" {
void __asan_loadN_noabort(std::uintptr_t address, std::size_t size) { core::check(address, size, "Read"); }
void __asan_storeN_noabort(std::uintptr_t address, std::size_t size) { core::check(address, size, "Write"); }
void __asan_handle_no_return() {}

void* __asan_memcpy(void* to, const void* from, std::size_t size) {
  core::check(core::number(from), size, "Read");
  core::check(core::number(to), size, "Write");
  return std::memcpy(to, from, size);
}
void* __asan_memmove(void* to, const void* from, std::size_t size) {
  core::check(core::number(from), size, "Read");
  core::check(core::number(to), size, "Write");
  return std::memmove(to, from, size);
}
void* __asan_memset(void* to, int value, std::size_t size) {
  core::check(core::number(to), size, "Write");
  return std::memset(to, value, size);
}
}
#endif
