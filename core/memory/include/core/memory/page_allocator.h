// Physical memory: blocks of 2^order pages, 4 KiB (order 0) to 1 GiB (order 18).
//
//   Page* page = TRY(allocate_pages(0, AllocationFlags::zero));
//   free_pages(*page, 0);
//   PageRef page = TRY(allocate_page(AllocationFlags::user));   // counted, frees itself
//
// Behind it: one buddy per zone (below 4 GiB, and the rest) under a raw lock, and per-CPU magazines for
// orders 0 to 3 that are filled and emptied in batches, so that the common call takes no lock and no atomic
// operation.
//
// Context: threads, also with preemption off (then nothing is reclaimed: see AllocationFlags::atomic, which
// is implied). Never from hard interrupts. An allocated page has one reference and no flags; its content is
// undefined without `zero` (poisoned in debug builds).
#pragma once

#include <cstdint>

#include "base/function_ref.h"
#include "base/result.h"
#include "core/memory/page.h"

namespace core {

using base::Errno;
using base::error;
using base::Result;

inline constexpr unsigned max_page_order = 18;

enum class AllocationFlags : std::uint32_t {
  none = 0,
  zero = 1u << 0,
  atomic = 1u << 1,        // does not sleep, may use part of the reserve
  no_reclaim = 1u << 2,    // fails rather than reclaim (callers with a cheaper alternative; reclaim itself)
  below_4g = 1u << 3,      // for devices with 32 address bits
  user = 1u << 4,          // memory of a process: leaves the reserve alone; may kill for it
  compound = 1u << 5,      // reference counted as one: descriptors of tail pages point to the head
  no_injection = 1u << 6,  // failure injection leaves this allocation alone (callers that cannot report)
};
constexpr AllocationFlags operator|(AllocationFlags a, AllocationFlags b) {
  return static_cast<AllocationFlags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(AllocationFlags set, AllocationFlags flag) {
  return static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(flag);
}

// ENOMEM when there is none even after reclaim.
Result<Page*> allocate_pages(unsigned order, AllocationFlags flags = AllocationFlags::none);
// The block must be exactly one that allocate_pages() gave (or its reference count went to zero).
void free_pages(Page& page, unsigned order);
Result<PageRef> allocate_page(AllocationFlags flags = AllocationFlags::none);
// release_page() of one that is no tail of a larger one.
void release_head_page(Page& head);
// Up to `count` single pages into `pages`; gives how many (for page-table and cache bulk use).
std::uint32_t allocate_page_batch(Page** pages, std::uint32_t count, AllocationFlags flags);
// Splits an allocated block into single pages with one reference each.
void split_pages(Page& page, unsigned order);

// Where the pages went: the source of /proc/meminfo and /proc/vmstat. Kept per CPU; sums may be slightly
// stale.
enum class MemoryCounter : std::uint8_t {
  anonymous,      // mapped private memory
  file_mapped,    // page-table entries to page-cache pages
  file_cache,     // page cache of files, tmpfs included
  shared_memory,  // tmpfs and shared anonymous memory (also in file_cache)
  dirty,
  writeback,
  slab,
  page_tables,
  kernel_stacks,
  virtual_mappings,  // vmalloc
  locked,
  faults,  // events from here on
  major_faults,
  pages_allocated,
  pages_freed,
  out_of_memory_kills,
  count,
};
void count_memory(MemoryCounter counter, long delta);
long memory_counter(MemoryCounter counter);

struct MemoryStatistics {
  std::uint64_t total_pages;      // given to the allocator at boot or later
  std::uint64_t free_pages;       // including magazines
  std::uint64_t available_pages;  // what a program could still get: free + reclaimable - reserve
  std::uint64_t reserve_pages;    // the watermark below which only atomic allocations succeed
  std::uint64_t free_blocks[2][max_page_order + 1];  // by zone (0 = below 4 GiB) and order: /proc/buddyinfo
};
MemoryStatistics memory_statistics();

// Something that can give pages back, e.g. the page cache. Called from the allocating thread, which may sleep
// and holds no raw lock, but possibly any mutex: try-lock only. Gives the number of pages freed.
class Reclaimer {
 public:
  virtual std::uint64_t reclaim(std::uint64_t wanted_pages) = 0;
  virtual std::uint64_t reclaimable_pages() const = 0;

 protected:
  ~Reclaimer() = default;

 private:
  friend void register_reclaimer(Reclaimer&);
  friend class ReclaimList;
  Reclaimer* next_ = nullptr;
};
// At start-up; never unregistered.
void register_reclaimer(Reclaimer& reclaimer);
// Whether the current thread is inside a reclaimer: it may hold any lock, and what needs one is done later.
bool is_reclaiming();

}  // namespace core
