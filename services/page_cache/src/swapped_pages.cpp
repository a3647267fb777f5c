// Pages of memory stores on a swap device, and back. In the tree a SwapEntry stands for such a page; it
// changes under tree_mutex_.
#include <cstring>

#include "core/memory/page_allocator.h"
#include "core/sync/preempt.h"
#include "swappable_caches.h"

namespace page_cache {

using core::Page;
using core::page_size;
using core::PageRef;
using core::SwapEntry;

struct SwappableCaches::Lists {
  using All = base::IntrusiveList<PageCache, &PageCache::registered_>;
  static inline constinit core::Mutex mutex{"swappable caches"};
  [[clang::no_destroy]] static inline constinit All all;
  static inline constinit bool is_registered = false;
};

class SwappableCaches::Source final : public core::SwapSource {
 public:
  void swap_out(core::SwapOut& out, std::uint64_t wanted) override {
    core::MutexTryGuard guard{Lists::mutex};
    if (!guard) return;
    std::size_t count = 0;
    for (PageCache& cache : Lists::all) {
      (void)cache;
      ++count;
    }
    // In turn, so that each is looked at.
    for (; count && wanted && !out.is_full(); --count) {
      PageCache& cache = *Lists::all.pop_front();
      Lists::all.push_back(cache);
      cache.swap_out(out, wanted);
    }
  }

  Result<void> bring_in(unsigned device) override {
    RefPtr<PageCache> at;
    for (;;) {
      RefPtr<PageCache> next;
      {
        core::MutexGuard guard{Lists::mutex};
        base::ListHook* hook = at ? at->registered_.next : nullptr;
        for (PageCache& cache : Lists::all) {
          if (hook && &cache.registered_ != hook) continue;
          hook = nullptr;
          if ((next = RefPtr<PageCache>::try_acquire(&cache))) break;
        }
      }
      if (!next) return {};
      TRY(next->bring_in(device));
      at = std::move(next);
    }
  }
};

void SwappableCaches::add(PageCache& cache) {
  [[clang::no_destroy]] static constinit Source source;
  core::MutexGuard guard{Lists::mutex};
  Lists::all.push_back(cache);
  if (Lists::is_registered) return;
  Lists::is_registered = true;
  core::register_swap_source(source);
}

void SwappableCaches::remove(PageCache& cache) {
  core::MutexGuard guard{Lists::mutex};
  if (cache.registered_.is_linked()) Lists::all.remove(cache);
}

// ---- One cache ----

void PageCache::swap_out(core::SwapOut& out, std::uint64_t& wanted) {
  core::MutexTryGuard guard{tree_mutex_};
  if (!guard) return;
  while (wanted && !out.is_full()) {
    Page* page = tree_.find_next(clock_index_, ~std::uint64_t{0});
    if (!page) {
      clock_index_ = 0;
      return;
    }
    std::uint64_t index = clock_index_++;
    if (!FolioTree::is_word(page) && try_swap_out_locked(index, *page, out)) --wanted;
  }
}

bool PageCache::try_swap_out_locked(std::uint64_t index, Page& page, core::SwapOut& out) {
  // In the middle of allocate(), or read by somebody a moment ago.
  if (page.has(core::PageFlag::private_1) || page.test_and_clear(core::PageFlag::referenced)) return false;
  if (page.has(core::PageFlag::compound_head) || page.has(core::PageFlag::compound_tail)) return false;
  // The tree's reference is the only one, and from here on nobody gets another: lookups look again and again.
  core::PreemptOff pinned;
  std::uint32_t only = 1;
  if (!page.references.compare_exchange_strong(only, 0, std::memory_order_acq_rel)) return false;
  SwapEntry entry = out.take(page);
  if (entry.value()) {
    tree_.replace(index, FolioTree::of_word(entry.value()));
    count_swapped(+1);
  } else {
    page.mapped = {this, index};
  }
  page.references.store(1, std::memory_order_release);
  return entry.value();
}

Result<PageRef> PageCache::find_or_bring_back(std::uint64_t index) {
  for (;;) {
    if (PageRef page = find(index)) return page;
    Page* entry;
    {
      core::RcuReadGuard guard;
      entry = tree_.find(index);
    }
    if (!entry) return PageRef();
    if (!FolioTree::is_word(entry)) continue;
    if (PageRef page = TRY(bring_back(index, entry))) return page;
  }
}

// Nothing: look again.
Result<PageRef> PageCache::bring_back(std::uint64_t index, Page* entry) {
  SwapEntry slot = SwapEntry::from_value(FolioTree::word_of(entry));
  auto found = core::swap_in(slot);
  if (!found && found.error() == Errno::eagain) return PageRef();
  PageRef page = TRY(std::move(found));
  core::MutexGuard guard{tree_mutex_};
  if (tree_.find(index) != entry) return PageRef();
  if (!core::take_from_swap(slot, *page)) {
    // It is being written right now.
    PageRef copy = TRY(core::allocate_page(core::AllocationFlags::user));
    std::memcpy(copy.data(), page.data(), page_size);
    page = copy.clone();
    (void)copy.leak();  // the tree's
    core::release_swap(slot);
  }
  // Else the swap cache's reference has become the tree's.
  page->reset_flags(static_cast<std::uint32_t>(core::PageFlag::swap_backed) |
                        static_cast<std::uint32_t>(core::PageFlag::up_to_date),
                    0);
  page->mapped = {this, index};
  tree_.replace(index, page.get());
  count_swapped(-1);
  return page;
}

Result<void> PageCache::bring_in(unsigned device) {
  std::uint64_t index = 0;
  for (;;) {
    Page* entry;
    {
      core::MutexGuard guard{tree_mutex_};
      while ((entry = tree_.find_next(index, ~std::uint64_t{0}))) {
        if (FolioTree::is_word(entry) && SwapEntry::from_value(FolioTree::word_of(entry)).device() == device)
          break;
        ++index;
      }
    }
    if (!entry) return {};
    TRY(bring_back(index, entry));
  }
}

}  // namespace page_cache
