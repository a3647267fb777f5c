#include "page_out.h"

#include <algorithm>

#include "core/sync/preempt.h"
#include "core/sync/thread_base.h"
#include "core/sync/wait_queue.h"

namespace core {

namespace {

constinit std::atomic<const void*> turn_holder{nullptr};
[[clang::no_destroy]] constinit WaitQueue turn_free{"reclaim"};

// Of the one round there is.
struct Outgoing {
  SwapEntry entry;
  Page* page;
};
constinit Outgoing outgoing[PageOut::capacity] = {};
constinit Page* run_pages[PageOut::capacity] = {};
constinit SwapEntry free_slots[PageOut::capacity] = {};

// If nobody but the cache refers to the page, it goes and its slot stays.
bool drop_from_cache(SwapEntry entry, Page& page) {
  std::atomic<std::uint64_t>& word = word_of(entry);
  if (!page.try_acquire()) return false;
  PageRef held = PageRef::adopt(&page);
  // Now it cannot become anything else; under its lock it cannot leave the cache either.
  if (!SlotWord::is_of(word.load(), page) || page.test_and_set(PageFlag::locked)) return false;
  // Who looks for the page meanwhile turns in a circle.
  PreemptOff pinned;
  std::uint64_t seen = word.load();
  std::uint32_t cache_and_ours = 2;
  if (!SlotWord::is_of(seen, page) || (seen & SlotWord::writeback) || page.has(PageFlag::dirty) ||
      !page.references.compare_exchange_strong(cache_and_ours, 0, std::memory_order_acq_rel)) {
    page.clear(PageFlag::locked);
    return false;
  }
  (void)held.leak();
  // Only the count of references can change meanwhile.
  while (!word.compare_exchange_weak(seen, seen & ~SlotWord::page_mask)) {
  }
  device_of(entry).page_uncached(entry.slot());
  if (!SlotWord::has_references(seen)) device_of(entry).slot_freed(entry.slot());
  free_pages(page, 0);
  return true;
}

}  // namespace

// ---- Turns ----

ReclaimTurn::ReclaimTurn(Wait wait) {
  const void* self = &ThreadBase::current();
  auto try_it = [&] {
    const void* expected = nullptr;
    return held_ = turn_holder.compare_exchange_strong(expected, self);
  };
  if (try_it() || wait == Wait::no || is_mine()) return;
  Deadline deadline = wait == Wait::briefly ? Deadline::after(100'000'000) : Deadline::never();
  (void)turn_free.wait(WaitMode::uninterruptible, try_it, deadline).has_value();
}

ReclaimTurn::~ReclaimTurn() {
  if (!held_) return;
  turn_holder.store(nullptr);
  turn_free.wake_all();
}

bool ReclaimTurn::is_mine() { return turn_holder.load(std::memory_order_relaxed) == &ThreadBase::current(); }

// ---- Pages that go ----

void PageOut::append(SwapEntry entry, Page& page) { outgoing[count_++] = {entry, &page}; }

bool PageOut::prepare() {
  unsigned left = 0;
  while (next_slot_ < slots_) free_slots[left++] = free_slots[next_slot_++];
  next_slot_ = 0;
  slots_ = left;
  while (slots_ < capacity - count_) {
    SwapEntry entry = reserve_swap_slot();
    if (!entry.value()) break;
    free_slots[slots_++] = entry;
  }
  return slots_;
}

PageOut::~PageOut() {
  while (next_slot_ < slots_) cancel_swap_slot(free_slots[next_slot_++]);
}

SwapEntry PageOut::take(Page& page) {
  if (is_full()) return {};
  SwapEntry entry = free_slots[next_slot_++];
  use_swap_slot(entry, page);
  page.mapped = {nullptr, entry.value()};
  page.set(PageFlag::up_to_date);
  page.set(in_swap_cache);
  append(entry, page);
  return entry;
}

SwapEntry PageOut::add(Page& page) {
  if (count_ == capacity) return {};
  // Against who takes it out of the cache at this moment.
  if (page.test_and_set(PageFlag::locked)) return {};
  SwapEntry entry = cached_entry(page);
  // A reference beyond those of the entries and of the cache: somebody reads or writes it right now.
  std::uint32_t expected =
      static_cast<std::uint32_t>(page.map_count.load(std::memory_order_relaxed)) + (entry.value() ? 1 : 0);
  bool goes = page.reference_count() == expected;
  if (goes && entry.value()) {
    std::atomic<std::uint64_t>& word = word_of(entry);
    goes = !(word.load() & SlotWord::writeback) && duplicate_swap(entry);
    // It could not be written the last time.
    if (goes && page.has(PageFlag::dirty)) {
      word.fetch_or(SlotWord::writeback);
      append(entry, page);
    }
  } else if (goes) {
    goes = next_slot_ < slots_;
    if (goes) {
      entry = free_slots[next_slot_++];
      page.acquire();  // the cache's
      page.mapped = {nullptr, entry.value()};
      page.set(PageFlag::up_to_date);
      page.set(in_swap_cache);
      use_swap_slot(entry, page);
      append(entry, page);
    }
  }
  page.clear(PageFlag::locked);
  return goes ? entry : SwapEntry{};
}

std::uint64_t PageOut::written(unsigned index, bool good) {
  auto [entry, page] = outgoing[index];
  PageRef held = PageRef::share(*page);
  if (good)
    page->clear(PageFlag::dirty);
  else
    page->set(PageFlag::dirty);  // stays in memory, and is tried again
  std::uint64_t left = word_of(entry).fetch_and(~SlotWord::writeback) & ~SlotWord::writeback;
  if (!SlotWord::has_references(left)) {
    bool last = page->reference_count() == 2;
    return try_forget(entry, *page) && last ? 1 : 0;
  }
  held = {};
  return good && drop_from_cache(entry, *page) ? 1 : 0;
}

std::uint64_t PageOut::write() {
  std::uint64_t freed = 0;
  std::sort(outgoing, outgoing + count_, [](const Outgoing& a, const Outgoing& b) {
    return a.entry.device() != b.entry.device() ? a.entry.device() < b.entry.device()
                                                : a.entry.slot() < b.entry.slot();
  });
  for (unsigned first = 0; first < count_;) {
    SwapEntry start = outgoing[first].entry;
    unsigned run = 0;
    while (first + run < count_ &&
           outgoing[first + run].entry == SwapEntry(start.device(), start.slot() + run)) {
      run_pages[run] = outgoing[first + run].page;
      ++run;
    }
    bool good = device_of(start).storage->write_pages(start.slot(), std::span(run_pages, run)).has_value();
    if (good) swap_pages_out.fetch_add(run, std::memory_order_relaxed);
    for (unsigned i = 0; i < run; ++i) freed += written(first + i, good);
    first += run;
  }
  count_ = 0;
  return freed;
}

// ---- Clean ones ----

std::uint64_t drop_clean_swap_pages(std::uint64_t wanted) {
  std::uint64_t freed = 0;
  for (unsigned index = 0; index < SwapEntry::devices_max && freed < wanted; ++index) {
    SwapDevice& device = swap_device(index);
    if (!device.open.load()) continue;
    for (std::uint64_t i = 0; i < device.clusters_count && freed < wanted; ++i) {
      if (!device.cached.load(std::memory_order_relaxed)) break;
      std::uint64_t cluster = device.clean_hand;
      device.clean_hand = cluster + 1 < device.clusters_count ? cluster + 1 : 0;
      if (!device.clusters[cluster].cached.load(std::memory_order_relaxed)) continue;
      std::uint64_t first = cluster << SwapDevice::cluster_bits, end = first + SwapDevice::cluster_slots;
      for (std::uint64_t slot = first; slot < end && slot < device.slots; ++slot) {
        std::uint64_t word = device.word(slot).load();
        Page* page = SlotWord::page(word);
        if (!page || (word & SlotWord::writeback)) continue;
        if (drop_from_cache(SwapEntry(index, slot), *page)) ++freed;
      }
    }
  }
  return freed;
}

}  // namespace core
