// Memory before there is an allocator: the usable ranges, cut from their upper ends.
#pragma once

#include <boot/boot_info.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/memory/address.h"

namespace core {

class EarlyMemory {
 public:
  struct Range {
    std::uint64_t start, end;  // bytes, page aligned
  };

  explicit EarlyMemory(const boot::BootInfo& info);
  // Zeroed, aligned to its power-of-two `alignment`. Panics if there is none: nothing could work.
  PhysicalAddress allocate(std::size_t size, std::size_t alignment);
  // What is left, sorted.
  std::span<const Range> ranges() const { return {ranges_, count_}; }

 private:
  static constexpr std::size_t most_ranges = boot::BootInfo::max_ranges + 16;
  Range ranges_[most_ranges];
  std::size_t count_ = 0;
};

}  // namespace core
