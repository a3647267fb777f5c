// The descriptor array from inside: where descriptors exist.
#pragma once

#include "core/memory/page.h"

namespace core {

// Descriptors exist for whole groups of 128 pages (one page of descriptors); one bit for each group.
inline constexpr unsigned presence_shift = 7;
extern std::uint64_t* memory_map_presence;

inline bool descriptor_exists(std::uint64_t number) {
  if (number >= memory_map_end) return false;
  std::uint64_t group = number >> presence_shift;
  return memory_map_presence[group / 64] >> (group % 64) & 1;
}

}  // namespace core
