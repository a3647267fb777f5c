// Pages, and how a physical address becomes one that code can use.
//
// All RAM is mapped at direct_map_base (random per boot, set once before anything here runs), writable and
// never executable. to_virtual() and to_physical() are plain arithmetic over that map; they do not know
// kernel code, vmalloc or device mappings.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.h"
#include "base/bits.h"

namespace core {

using base::PhysicalAddress;
using base::UserAddress;

inline constexpr unsigned page_shift = 12;
inline constexpr std::size_t page_size = std::size_t{1} << page_shift;

extern std::uintptr_t direct_map_base;

template <typename T = void>
T* to_virtual(PhysicalAddress address) {
  // SAFETY: the direct map covers all RAM; what is there is for the caller to know.
  return reinterpret_cast<T*>(direct_map_base + address.value());
}
inline PhysicalAddress to_physical(const void* address) {
  // SAFETY: only turned into a number.
  return PhysicalAddress(reinterpret_cast<std::uintptr_t>(address) - direct_map_base);
}

constexpr std::uint64_t page_number(PhysicalAddress address) { return address.value() >> page_shift; }
constexpr PhysicalAddress page_address(std::uint64_t number) { return PhysicalAddress(number << page_shift); }
constexpr std::uint64_t pages_for(std::uint64_t bytes) { return (bytes + page_size - 1) >> page_shift; }
constexpr UserAddress page_down(UserAddress address) {
  return UserAddress(address.value() & ~(page_size - 1));
}

}  // namespace core
