// The zones and what start-up does with them.
#pragma once

#include <cstdint>

#include "../buddy.h"
#include "core/sync/spin_lock.h"

namespace core {

inline constexpr unsigned zone_count = 2;  // 0: below 4 GiB, 1: above
inline constexpr std::uint64_t zone_boundary = (std::uint64_t{4} << 30) >> page_shift;

struct Zone {
  // Held for one batch of pages at most.
  SpinLock lock{"page zone"};
  Buddy buddy GUARDED_BY(lock);
};
extern Zone zones[zone_count];

// Start-up: pages [first, end) are RAM that nobody uses. Also counts them as part of the machine's memory.
void add_free_pages(std::uint64_t first, std::uint64_t end);
// A page that comes to the allocator in use.
void count_adopted_page();
// RAM that is in use for good (the kernel itself): counted nowhere but in what `free` reports as total by
// Linux.
void set_watermarks();

}  // namespace core
