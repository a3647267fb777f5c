#include "core/memory/page_allocator.h"

#include <arch/cpu.h>

#include <cstring>

#include "core/memory/kasan.h"
#include "core/memory/oom.h"
#include "core/sync/per_cpu.h"
#include "core/sync/preempt.h"
#include "failure_point.h"
#include "reclaim.h"
#include "zones.h"

namespace core {

constinit Zone zones[zone_count];

namespace {

constinit std::atomic<std::uint64_t> total_pages{0};
constinit std::uint64_t reserve_pages = 0;  // set at start-up and by donations

// Single blocks of low order at hand for one CPU, linked through words[0].
struct PageMagazine {
  static constexpr unsigned orders = 4;
  static constexpr std::uint16_t batch[orders] = {32, 8, 8, 4};
  Page* first[orders] = {};
  std::uint16_t count[orders] = {};
};
PER_CPU constinit PerCpu<PageMagazine> magazines;

constexpr std::uint8_t free_fill = 0xaa;

Page*& next_in_magazine(Page& page) {
  // SAFETY: the union is ours while the page is in a magazine.
  return reinterpret_cast<Page*&>(page.words[0]);
}

// How many pages must stay free for allocations with these flags.
std::uint64_t watermark(AllocationFlags flags) {
  if (has(flags, AllocationFlags::atomic)) return reserve_pages / 4;
  if (has(flags, AllocationFlags::user)) return reserve_pages + reserve_pages / 4;
  return reserve_pages;
}

std::uint64_t buddy_free_pages() {
  std::uint64_t free = 0;
  for (Zone& zone : zones) {
    // Racy by nature: a hint for the watermark.
    [&]() NO_THREAD_SAFETY_ANALYSIS { free += zone.buddy.free_pages(); }();
  }
  return free;
}

// Up to `wanted` blocks as a list through words[0].
unsigned take_from_zones(unsigned order, unsigned wanted, AllocationFlags flags, Page*& list) {
  std::uint64_t floor = watermark(flags);
  std::uint64_t free = buddy_free_pages();
  if (free < floor + (std::uint64_t{1} << order)) return 0;
  unsigned taken = 0;
  for (unsigned index = has(flags, AllocationFlags::below_4g) ? 1 : zone_count;
       index-- > 0 && taken < wanted;) {
    Zone& zone = zones[index];
    SpinGuard<PreemptOff> guard{zone.lock};
    while (taken < wanted) {
      Page* page = zone.buddy.take(order);
      if (!page) break;
      next_in_magazine(*page) = list;
      list = page;
      ++taken;
    }
  }
  return taken;
}

void give_to_zone(Page& page, unsigned order) {
  Zone& zone = zones[number_of(page) >= zone_boundary ? 1 : 0];
  SpinGuard<PreemptOff> guard{zone.lock};
  zone.buddy.give(page, order);
}

Page* take_from_magazine(unsigned order, AllocationFlags flags) {
  PreemptOff pinned;
  PageMagazine& magazine = magazines.local();
  if (!magazine.count[order]) [[unlikely]] {
    Page* list = nullptr;
    unsigned taken = take_from_zones(order, PageMagazine::batch[order], flags, list);
    if (!taken) return nullptr;
    magazine.first[order] = list;
    magazine.count[order] = static_cast<std::uint16_t>(taken);
    count_memory(MemoryCounter::pages_allocated, static_cast<long>(taken) << order);
  }
  Page* page = magazine.first[order];
  magazine.first[order] = next_in_magazine(*page);
  --magazine.count[order];
  return page;
}

void give_to_magazine(Page& page, unsigned order) {
  PreemptOff pinned;
  PageMagazine& magazine = magazines.local();
  next_in_magazine(page) = magazine.first[order];
  magazine.first[order] = &page;
  if (++magazine.count[order] < 2 * PageMagazine::batch[order]) [[likely]]
    return;
  for (unsigned i = 0; i < PageMagazine::batch[order]; ++i) {
    Page* out = magazine.first[order];
    magazine.first[order] = next_in_magazine(*out);
    give_to_zone(*out, order);
  }
  magazine.count[order] = static_cast<std::uint16_t>(magazine.count[order] - PageMagazine::batch[order]);
  count_memory(MemoryCounter::pages_freed, static_cast<long>(PageMagazine::batch[order]) << order);
}

Page* try_allocate(unsigned order, AllocationFlags flags) {
  if (order < PageMagazine::orders && !has(flags, AllocationFlags::below_4g))
    return take_from_magazine(order, flags);
  Page* list = nullptr;
  if (!take_from_zones(order, 1, flags, list)) return nullptr;
  count_memory(MemoryCounter::pages_allocated, 1l << order);
  return list;
}

// This CPU's blocks, so that they can join into larger ones.
void drain_magazine() {
  PreemptOff pinned;
  PageMagazine& magazine = magazines.local();
  for (unsigned order = 0; order < PageMagazine::orders; ++order) {
    while (magazine.count[order]) {
      Page* out = magazine.first[order];
      magazine.first[order] = next_in_magazine(*out);
      --magazine.count[order];
      give_to_zone(*out, order);
    }
  }
}

Page* allocate_slowly(unsigned order, AllocationFlags flags) {
  if (!may_sleep()) {
    return try_allocate(order, flags | AllocationFlags::atomic);
  }
  if (has(flags, AllocationFlags::atomic)) return try_allocate(order, flags);
  drain_magazine();
  if (Page* page = try_allocate(order, flags)) return page;
  if (has(flags, AllocationFlags::no_reclaim)) return nullptr;
  for (unsigned attempt = 0; attempt < 64; ++attempt) {
    std::uint64_t wanted = (std::uint64_t{1} << order) + reserve_pages / 2;
    bool progress = reclaim_pages(wanted) > 0;
    if (progress) drain_magazine();
    if (Page* page = try_allocate(order, flags)) return page;
    // Large blocks may fail for fragmentation alone: nobody is killed for them.
    if (!progress && (order > 3 || !handle_out_of_memory())) return nullptr;
  }
  return nullptr;
}

void prepare_block(Page& page, unsigned order, AllocationFlags flags) {
  std::size_t size = page_size << order;
  kasan_unpoison(data_of(page), size);
  page.map_count.store(0, std::memory_order_relaxed);
  page.detail.store(0, std::memory_order_relaxed);
  page.words[0] = page.words[1] = 0;
  page.reset_flags(0, 0);
  // release: whoever finds the page later by a counted lookup sees the fields above.
  page.references.store(1, std::memory_order_release);
  if (has(flags, AllocationFlags::compound) && order > 0) {
    page.reset_flags(static_cast<std::uint32_t>(PageFlag::compound_head), order);
    for (std::size_t i = 1; i < std::size_t{1} << order; ++i) {
      Page& tail = (&page)[i];
      tail.references.store(0, std::memory_order_relaxed);
      tail.map_count.store(0, std::memory_order_relaxed);
      tail.detail.store(0, std::memory_order_relaxed);
      tail.head_page = &page;
      tail.reset_flags(static_cast<std::uint32_t>(PageFlag::compound_tail), 0);
    }
  }
  if (has(flags, AllocationFlags::zero)) std::memset(data_of(page), 0, size);
}

}  // namespace

bool make_room_for_program(unsigned& vain) {
  if (!may_sleep()) return false;
  // Somebody has given memory back meanwhile, or the failure was injected.
  if (buddy_free_pages() > watermark(AllocationFlags::user)) return ++vain < 4;
  if (reclaim_pages(reserve_pages / 2 + 1)) {
    drain_magazine();
    return true;
  }
  return handle_out_of_memory();
}

Result<Page*> allocate_pages(unsigned order, AllocationFlags flags) {
  if (order > max_page_order) return error(Errno::enomem);
  if (should_fail_pages(flags)) [[unlikely]]
    return error(Errno::enomem);
  Page* page = try_allocate(order, flags);
  if (!page) [[unlikely]]
    page = allocate_slowly(order, flags);
  if (!page) [[unlikely]]
    return error(Errno::enomem);
  prepare_block(*page, order, flags);
  return page;
}

void free_pages(Page& page, unsigned order) {
  base::debug_verify(!page.has(PageFlag::buddy) && !page.has(PageFlag::reserved),
                     "free of a page not allocated");
  if (page.has(PageFlag::compound_head)) {
    for (std::size_t i = 1; i < std::size_t{1} << order; ++i) (&page)[i].reset_flags(0, 0);
  }
  page.references.store(0, std::memory_order_relaxed);
  page.reset_flags(0, 0);
  if constexpr (base::debug_build && !kasan_build) {
    if (order <= 3) std::memset(data_of(page), free_fill, page_size << order);
  }
  kasan_poison(data_of(page), page_size << order, KasanPoison::free_page);
  if (order < PageMagazine::orders) return give_to_magazine(page, order);
  give_to_zone(page, order);
  count_memory(MemoryCounter::pages_freed, 1l << order);
}

void release_page(Page& page) { release_head_page(*page.head()); }

void release_head_page(Page& head) {
  // release: our use of the page happens before its reuse; acquire below: in whoever frees it.
  auto old = head.references.fetch_sub(1, std::memory_order_release);
  base::debug_verify(old != 0, "page released more often than acquired");
  if (old != 1) return;
  std::atomic_thread_fence(std::memory_order_acquire);
  free_pages(head, head.has(PageFlag::compound_head) ? head.order() : 0);
}

Result<PageRef> allocate_page(AllocationFlags flags) { return PageRef::adopt(TRY(allocate_pages(0, flags))); }

std::uint32_t allocate_page_batch(Page** pages, std::uint32_t count, AllocationFlags flags) {
  std::uint32_t done = 0;
  while (done < count) {
    auto page = allocate_pages(0, flags);
    if (!page) break;
    pages[done++] = *page;
  }
  return done;
}

void split_pages(Page& page, unsigned order) {
  base::debug_verify(!page.has(PageFlag::compound_head), "compound pages stay together");
  for (std::size_t i = 1; i < std::size_t{1} << order; ++i) {
    Page& single = (&page)[i];
    single.reset_flags(0, 0);
    single.map_count.store(0, std::memory_order_relaxed);
    single.detail.store(0, std::memory_order_relaxed);
    single.words[0] = single.words[1] = 0;
    single.references.store(1, std::memory_order_release);
  }
}

void add_free_pages(std::uint64_t first, std::uint64_t end) {
  total_pages.fetch_add(end - first, std::memory_order_relaxed);
  while (first < end) {
    unsigned index = first >= zone_boundary ? 1 : 0;
    // In pieces, so that the lock is held for short.
    std::uint64_t piece =
        base::align_down(first, std::uint64_t{1} << max_page_order) + (std::uint64_t{1} << max_page_order);
    if (piece > end) piece = end;
    if (index == 0 && piece > zone_boundary) piece = zone_boundary;
    kasan_poison(to_virtual(page_address(first)), (piece - first) << page_shift, KasanPoison::free_page);
    Zone& zone = zones[index];
    SpinGuard<PreemptOff> guard{zone.lock};
    zone.buddy.give_range(first, piece);
    first = piece;
  }
}

void count_adopted_page() { total_pages.fetch_add(1, std::memory_order_relaxed); }

void set_watermarks() {
  // As Linux' min_free_kbytes: the square root of sixteen times memory, in KiB.
  std::uint64_t total_kib = total_pages.load(std::memory_order_relaxed) * (page_size / 1024);
  std::uint64_t target = total_kib * 16, root = 1;
  while (root * root < target) root += root / 64 + 1;
  if (root < 128) root = 128;
  if (root > 65536) root = 65536;
  reserve_pages = root * 1024 / page_size;
  if (reserve_pages > total_pages / 16) reserve_pages = total_pages / 16;
}

MemoryStatistics memory_statistics() {
  MemoryStatistics result{};
  result.total_pages = total_pages.load(std::memory_order_relaxed);
  for (unsigned index = 0; index < zone_count; ++index) {
    SpinGuard<PreemptOff> guard{zones[index].lock};
    result.free_pages += zones[index].buddy.free_pages();
    for (unsigned order = 0; order <= max_page_order; ++order)
      result.free_blocks[index][order] = zones[index].buddy.free_blocks(order);
  }
  for_each_cpu([&](unsigned cpu) {
    // Racy reads of another CPU's counts: statistics.
    PageMagazine& magazine = magazines.on(cpu);
    for (unsigned order = 0; order < PageMagazine::orders; ++order)
      result.free_pages += std::uint64_t{magazine.count[order]} << order;
  });
  result.reserve_pages = reserve_pages;
  std::uint64_t available = result.free_pages + reclaimable_pages();
  result.available_pages = available > reserve_pages ? available - reserve_pages : 0;
  return result;
}

}  // namespace core
