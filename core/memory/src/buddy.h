// The buddy algorithm for one zone: free blocks of 2^order pages, aligned to their size, joined with their
// neighbour
// ("buddy") whenever both are free.
//
// Pure bookkeeping in the page descriptors; the caller holds the zone's lock. A free block's head has
// PageFlag::buddy and its order, and is linked in the list of its order; the other descriptors of the block
// are not touched.
#pragma once

#include <cstdint>

#include "core/memory/page_allocator.h"

namespace core {

class Buddy {
 public:
  constexpr Buddy() = default;

  // Page numbers the zone may hold; blocks never join across.
  void set_bounds(std::uint64_t first, std::uint64_t end) { first_ = first, end_ = end; }

  // The smallest block that fits, split down; null if none.
  Page* take(unsigned order);
  void give(Page& page, unsigned order);
  // All whole pages of [first, end), as the largest aligned blocks.
  void give_range(std::uint64_t first, std::uint64_t end);

  std::uint64_t free_pages() const { return free_pages_; }
  std::uint64_t free_blocks(unsigned order) const { return counts_[order]; }

 private:
  void link(Page& page, unsigned order);
  void unlink(Page& page, unsigned order);

  Page* lists_[max_page_order + 1] = {};
  std::uint64_t counts_[max_page_order + 1] = {};
  std::uint32_t nonempty_ = 0;  // bit n: lists_[n] is not empty
  std::uint64_t free_pages_ = 0;
  std::uint64_t first_ = 0, end_ = 0;
};

}  // namespace core
