// Only in host builds: the page allocator of the unit tests (src/host_only/host_pages.cpp).
#pragma once

#include <atomic>
#include <cstdint>

namespace core {

// Allocations fail while this many pages are in use.
extern std::atomic<std::uint64_t> host_memory_limit_pages;
std::uint64_t host_pages_in_use();
// Up to so many pages leave for a swap device that is never full; how many lie there afterwards.
std::uint64_t host_swap_out(std::uint64_t wanted);

}  // namespace core
