// Pages on their way home.
#include "core/memory/page_allocator.h"
#include "core/sync/wait_queue.h"
#include "swap_map.h"

namespace core {

constinit std::atomic<std::uint64_t> swap_pages_in{0}, swap_pages_out{0};

namespace {

// Who waits for a page that somebody else reads, by page.
constexpr unsigned queues = 16;
[[clang::no_destroy]] constinit WaitQueue waiting[queues] = {
    {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"},
    {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}, {"swap in"}};
WaitQueue& queue_of(const Page& page) { return waiting[number_of(page) % queues]; }

// A page that is being read lacks PageFlag::up_to_date.
PageRef find_cached(std::atomic<std::uint64_t>& word) {
  for (;;) {
    Page* page = SlotWord::page(word.load());
    if (!page) return {};
    if (!page->try_acquire()) continue;  // reclaim has just taken it, the word says so at once
    PageRef held = PageRef::adopt(page);
    if (SlotWord::is_of(word.load(), *page)) return held;
  }
}

// Puts a page in that is to be read. False: nothing refers to the slot, or its page is there.
bool insert_unread(SwapEntry entry, Page& page) {
  page.mapped = {nullptr, entry.value()};
  page.reset_flags(static_cast<std::uint32_t>(PageFlag::anonymous) |
                       static_cast<std::uint32_t>(PageFlag::swap_backed) |
                       static_cast<std::uint32_t>(in_swap_cache),
                   0);
  std::atomic<std::uint64_t>& word = word_of(entry);
  std::uint64_t seen = word.load();
  do {
    if (!SlotWord::has_references(seen) || (seen & (SlotWord::page_mask | SlotWord::bad))) return false;
  } while (!word.compare_exchange_weak(seen, seen | SlotWord::of_page(page)));
  page.acquire();  // the cache's
  device_of(entry).page_cached(entry.slot());
  return true;
}

// A page that could not be read is forgotten, its slot stays.
void remove_unread(SwapEntry entry, Page& page) {
  std::atomic<std::uint64_t>& word = word_of(entry);
  std::uint64_t seen = word.load();
  do {
    if (!SlotWord::is_of(seen, page)) return;
  } while (!word.compare_exchange_weak(seen, seen & ~SlotWord::page_mask));
  page.clear(in_swap_cache);
  device_of(entry).page_uncached(entry.slot());
  if (!SlotWord::has_references(seen)) device_of(entry).slot_freed(entry.slot());
  release_page(page);
}

void reading_done(SwapEntry entry, Page& page, bool read) {
  if (read) {
    page.set(PageFlag::up_to_date);
    // Whoever referred to it may have gone meanwhile, unaware of the page.
    if (word_of(entry).load() == SlotWord::of_page(page)) (void)try_forget(entry, page);
  } else {
    remove_unread(entry, page);
  }
  queue_of(page).wake_all();
}

constexpr unsigned read_at_once_max = 32;

// Reads what was inserted, in runs of consecutive slots. The references are the caller's.
Result<void> read_inserted(SwapDevice& device, const SwapEntry* entries, Page* const* pages, unsigned count,
                           SwapEntry wanted) {
  Result<void> result{};
  for (unsigned first = 0; first < count;) {
    unsigned run = 1;
    while (first + run < count && entries[first + run].slot() == entries[first].slot() + run) ++run;
    auto read = device.storage->read_pages(entries[first].slot(), std::span(pages + first, run));
    for (unsigned i = first; i < first + run; ++i) {
      if (!read && entries[i] == wanted) result = error(read.error());
      reading_done(entries[i], *pages[i], read.has_value());
    }
    if (read) swap_pages_in.fetch_add(run, std::memory_order_relaxed);
    first += run;
  }
  return result;
}

// The page at `entry`, and what lies around it and is wanted by somebody.
Result<PageRef> read_around(SwapEntry entry, PageRef page) {
  SwapDevice& device = device_of(entry);
  if (!insert_unread(entry, *page)) return error(Errno::eagain);
  std::uint64_t window = std::uint64_t{1} << swap_read_ahead_order.load(std::memory_order_relaxed);
  if (window > read_at_once_max) window = read_at_once_max;
  std::uint64_t first = entry.slot() & ~(window - 1);
  SwapEntry entries[read_at_once_max];
  Page* pages[read_at_once_max];
  unsigned count = 0;
  for (std::uint64_t slot = first; slot < first + window && slot < device.slots; ++slot) {
    SwapEntry at(entry.device(), slot);
    if (at == entry) {
      entries[count] = at;
      pages[count++] = page.clone().leak();
      continue;
    }
    std::uint64_t word = device.word(slot).load(std::memory_order_relaxed);
    if (!SlotWord::has_references(word) || (word & (SlotWord::page_mask | SlotWord::bad))) continue;
    auto extra =
        allocate_page(AllocationFlags::user | AllocationFlags::no_reclaim | AllocationFlags::no_injection);
    if (!extra) continue;
    if (!insert_unread(at, **extra)) {
      (*extra)->reset_flags(0, 0);
      continue;
    }
    entries[count] = at;
    pages[count++] = extra->leak();
  }
  auto result = read_inserted(device, entries, pages, count, entry);
  for (unsigned i = 0; i < count; ++i) release_page(*pages[i]);
  if (!result) return error(result.error());
  return page;
}

}  // namespace

Result<PageRef> find_or_read_swap(SwapEntry entry, AllocationFlags flags, bool* read) {
  DeviceUse use(entry.device());
  if (!use || entry.slot() >= device_of(entry).slots) return error(Errno::eagain);
  std::atomic<std::uint64_t>& word = word_of(entry);
  for (;;) {
    PageRef page = find_cached(word);
    if (!page) {
      if (!SlotWord::has_references(word.load())) return error(Errno::eagain);
      PageRef fresh = TRY(allocate_page(flags | AllocationFlags::user));
      if (read) *read = true;
      auto result = read_around(entry, std::move(fresh));
      if (result || result.error() != Errno::eagain) return result;
      continue;
    }
    auto settled = [&] { return page->has(PageFlag::up_to_date) || !SlotWord::is_of(word.load(), *page); };
    if (!settled()) TRY(queue_of(*page).wait(WaitMode::killable, settled));
    if (SlotWord::is_of(word.load(), *page)) return page;
    // It could not be read, or nothing needs it any more: once more, from the device.
  }
}

Result<PageRef> swap_in(SwapEntry entry) { return find_or_read_swap(entry, AllocationFlags::none, nullptr); }

bool take_from_swap(SwapEntry entry, Page& page) {
  return leave_swap_cache(entry, page, SlotWord::of_page(page) | SlotWord::one_reference);
}

SwapStatistics swap_statistics() {
  SwapStatistics result{};
  for (unsigned i = 0; i < SwapEntry::devices_max; ++i) {
    SwapDevice& device = swap_device(i);
    if (!device.accepts.load()) continue;
    std::uint64_t used = device.used.load(std::memory_order_relaxed);
    result.total_pages += device.usable;
    result.free_pages += device.usable > used ? device.usable - used : 0;
    result.cached_pages += device.cached.load(std::memory_order_relaxed);
  }
  result.pages_in = swap_pages_in.load(std::memory_order_relaxed);
  result.pages_out = swap_pages_out.load(std::memory_order_relaxed);
  return result;
}

}  // namespace core
