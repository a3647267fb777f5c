// What a page cache does for stores on disk: reading in, read-ahead, dirty pages, writing back.
#include <cstring>

#include "base/check.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/sync/wait_queue.h"
#include "page_cache/page_cache.h"
#include "writeback_internal.h"

namespace page_cache {

using base::error;
using core::Page;
using core::page_shift;
using core::page_size;
using core::PageFlag;
using core::PageRef;

namespace {

// Who waits for a page to be read shares a queue with a few others.
constexpr unsigned queue_count = 64;
constinit core::WaitQueue queues[queue_count];
core::WaitQueue& queue_of(const Page& page) {
  return queues[(core::number_of(page) * 0x9e3779b97f4a7c15u) >> 58 & (queue_count - 1)];
}

void wait_until_read(Page& page) {
  // acquire: the content that was read before the flag went.
  (void)!queue_of(page).wait(core::WaitMode::uninterruptible, [&] {
    return !(page.flags.load(std::memory_order_acquire) & static_cast<std::uint32_t>(PageFlag::locked));
  });
}

void unlock(Page& page) {
  page.test_and_clear(PageFlag::locked);
  queue_of(page).wake_all();
}

constexpr std::uint32_t window_first = 4, window_max = 64;  // pages: 16 KiB to 256 KiB
constexpr unsigned write_run_max = 64;

}  // namespace

// ---- Reading ----

Result<PageRef> PageCache::read_page(std::uint64_t index, std::uint64_t wanted_pages) {
  for (;;) {
    PageRef page = find(index);
    if (page) {
      // acquire: the content was there before the flag.
      if (page->flags.load(std::memory_order_acquire) & static_cast<std::uint32_t>(PageFlag::up_to_date)) {
        if (!page->has(PageFlag::referenced)) page->set(PageFlag::referenced);
        return page;
      }
      wait_until_read(*page);
      continue;  // it is up to date now, or it is gone and we try ourselves
    }
    TRY(read_in(index, window_at(index, wanted_pages)));
  }
}

// How many pages to read at `index`: what is asked for, and more with each time the reader goes on where he
// was.
std::uint64_t PageCache::window_at(std::uint64_t index, std::uint64_t wanted_pages) {
  std::uint32_t window = window_.load(std::memory_order_relaxed);
  bool sequential = index == next_read_.load(std::memory_order_relaxed);
  window = !sequential ? (index == 0 ? window_first : 1) : window * 2 < window_max ? window * 2 : window_max;
  if (window < window_first && sequential) window = window_first;
  window_.store(window, std::memory_order_relaxed);
  std::uint64_t pages = wanted_pages > window ? wanted_pages : window;
  if (pages > window_max) pages = window_max;
  std::uint64_t end = (size() + page_size - 1) >> page_shift;
  if (index + pages > end) pages = end > index ? end - index : 1;
  next_read_.store(index + pages, std::memory_order_relaxed);
  return pages;
}

// Reads up to `wanted` absent pages from `first` on, the first of them if it is still absent.
Result<void> PageCache::read_in(std::uint64_t first, std::uint64_t wanted) {
  Page* pages[window_max];
  unsigned taken = 0;
  core::ReadGuard contents{contents_lock_};
  // Truncation first changes the size and then waits for us: what it has cut off is not read in again.
  if (first >= (size() + page_size - 1) >> page_shift) return error(Errno::enxio);
  Result<void> result;
  while (taken < wanted && taken < window_max) {
    auto page = core::allocate_page(core::AllocationFlags::user | core::AllocationFlags::zero);
    if (page) {
      (*page)->set(PageFlag::locked);
      result = insert(first + taken, **page);
    } else {
      result = error(page.error());
    }
    if (!result) break;
    pages[taken++] = page->leak();
  }
  if (taken == 0) {
    // Somebody else is reading it: the caller looks again.
    if (result.error() == Errno::eexist) return {};
    return result;
  }
  result = store_->read_pages(first, {pages, taken});
  if (!result) {
    core::MutexGuard guard{tree_mutex_};
    for (unsigned i = 0; i < taken; ++i) tree_.remove(first + i);
    count(-static_cast<long>(taken));
    store_->uncharge(taken);
  }
  for (unsigned i = 0; i < taken; ++i) {
    if (result) {
      // release: the content before the flag.
      pages[i]->flags.fetch_or(static_cast<std::uint32_t>(PageFlag::up_to_date), std::memory_order_release);
    }
    unlock(*pages[i]);
    if (!result) core::release_page(*pages[i]);  // the tree's
    core::release_page(*pages[i]);
  }
  return result;
}

void PageCache::read_ahead(std::uint64_t first_index, std::uint64_t page_count) {
  if (memory_only_) return;
  std::uint64_t end = (size() + page_size - 1) >> page_shift;
  for (std::uint64_t index = first_index; index < end && page_count;) {
    if (find(index)) {
      ++index;
      --page_count;
      continue;
    }
    std::uint64_t pages = page_count < window_max ? page_count : window_max;
    if (pages > end - index) pages = end - index;
    if (!read_in(index, pages)) return;
    index += 1;
    page_count -= 1;
  }
}

// ---- Dirtying ----

Result<void> PageCache::reserve(Page& page, std::uint64_t index) {
  if (page.has(PageFlag::dirty) && page.has(reserved_page)) return {};
  if (TRY(store_->reserve_page(index)) && page.test_and_set(reserved_page)) store_->cancel_reservation(1);
  return {};
}

void PageCache::mark_dirty(Page& page, std::uint64_t index) {
  // The writer has changed the page before this; whoever clears the flag reads the page afterwards.
  if (!page.test_and_set(PageFlag::dirty)) tag_dirty(page, index);
}

void PageCache::tag_dirty(Page& page, std::uint64_t index) {
  bool first = false;
  {
    core::MutexGuard guard{tree_mutex_};
    if (tree_.find(index) != &page) return;  // truncated meanwhile
    std::uint64_t at = index;
    if (tree_.find_next_tagged(at, index)) return;
    tree_.tag(index);
    first = dirty_.fetch_add(1, std::memory_order_acq_rel) == 0;
  }
  core::count_memory(core::MemoryCounter::dirty, 1);
  if (first) Writeback::became_dirty(*this);
}

Result<void> PageCache::make_writable(Page& page, std::uint64_t index) {
  if (memory_only_) return {};
  TRY(reserve(page, index));
  page.set(PageFlag::dirty);
  tag_dirty(page, index);
  return {};
}

void PageCache::page_dirtied(Page& page, std::uint64_t) {
  page.set(PageFlag::dirty);
  untagged_dirty_.store(true, std::memory_order_release);
}

Result<std::size_t> PageCache::write_disk_page(core::IoBuffer& buffer, std::uint64_t index,
                                               std::size_t within, std::size_t count) {
  std::uint64_t start = index << page_shift;
  auto grow = [&](std::size_t done) {
    if (start + within + done > size()) set_size(start + within + done);
  };
  bool keeps_old =
      (within > 0 || count < page_size) && start < size() && !(within == 0 && start + count >= size());
  for (;;) {
    PageRef page = keeps_old ? TRY(read_page(index, 1)) : find(index);
    if (page) {
      wait_until_read(*page);
      if (!page->has(PageFlag::up_to_date)) continue;
      TRY(reserve(*page, index));
      std::size_t done = buffer.copy_in({page.data() + within, count});
      if (done) {
        grow(done);
        mark_dirty(*page, index);
      }
      return done;
    }
    // Nothing of what the disk has is needed: the page is made here.
    page = TRY(core::allocate_page(core::AllocationFlags::user | core::AllocationFlags::zero));
    std::size_t done = buffer.copy_in({page.data() + within, count});
    if (done == 0) return 0;
    if (done < count && start < size()) {
      buffer.revert(done);
      keeps_old = true;
      count = done;
      continue;
    }
    auto result = reserve(*page, index);
    if (result) result = insert(index, *page);
    if (result) {
      grow(done);
      mark_dirty(*page, index);
      return done;
    }
    if (page->test_and_clear(reserved_page)) store_->cancel_reservation(1);
    buffer.revert(done);
    if (result.error() != Errno::eexist) return error(result.error());
  }
}

void PageCache::note_removed_locked(Page& page, std::uint64_t index) {
  std::uint64_t at = index;
  if (tree_.find_next_tagged(at, index)) {
    dirty_.fetch_sub(1, std::memory_order_acq_rel);
    core::count_memory(core::MemoryCounter::dirty, -1);
  }
  page.clear(PageFlag::dirty);
  if (page.test_and_clear(reserved_page)) store_->cancel_reservation(1);
}

bool PageCache::is_dirty(std::uint64_t index) {
  core::RcuReadGuard guard;
  Page* page = tree_.find(index);
  return page && page->has(PageFlag::dirty);
}

// ---- Writing back ----

// Programs write through mappings without telling: their page-table entries do.
void PageCache::collect_mapped_dirty(std::uint64_t first, std::uint64_t last) {
  if (!untagged_dirty_.exchange(false, std::memory_order_acq_rel) && !has_writable_shared_mappings()) return;
  for (std::uint64_t index = first; index <= last; ++index) {
    PageRef page;
    {
      core::MutexGuard guard{tree_mutex_};
      Page* found = tree_.find_next(index, last);
      if (!found) return;
      page = PageRef::share(*found);
    }
    if (write_protect_page(*page, index) || page->has(PageFlag::dirty)) {
      page->set(PageFlag::dirty);
      tag_dirty(*page, index);
    }
    if (index == last) return;
  }
}

// Consecutive dirty pages from `index` on, each with a reference; they are clean from here on.
unsigned PageCache::take_dirty_run(std::uint64_t& index, std::uint64_t last, Page** pages) {
  unsigned taken = 0;
  core::MutexGuard guard{tree_mutex_};
  while (taken < write_run_max) {
    std::uint64_t at = index + taken;
    Page* page = tree_.find_next_tagged(at, last);
    if (!page || (taken && at != index + taken)) break;
    if (taken == 0) index = at;
    tree_.untag(at);
    page->acquire();
    page->set(PageFlag::writeback);
    pages[taken++] = page;
    if (at == last) break;
  }
  if (taken) dirty_.fetch_sub(taken, std::memory_order_acq_rel);
  return taken;
}

Result<void> PageCache::write_back(std::uint64_t from, std::uint64_t to) {
  if (memory_only_) return {};
  std::uint64_t first = from >> page_shift, last = to >> page_shift;
  Result<void> result;
  {
    core::MutexGuard writing{writeback_mutex_};
    collect_mapped_dirty(first, last);
    Page* pages[write_run_max];
    for (std::uint64_t index = first; index <= last;) {
      unsigned taken = take_dirty_run(index, last, pages);
      if (!taken) break;
      core::count_memory(core::MemoryCounter::dirty, -static_cast<long>(taken));
      for (unsigned i = 0; i < taken; ++i) {
        if (is_mapped()) write_protect_page(*pages[i], index + i);
        // acq_rel: changes made before the flag was set are read by the store after this.
        pages[i]->test_and_clear(PageFlag::dirty);
      }
      auto written = store_->write_pages(index, {pages, taken});
      if (!written) {
        record_error(written.error());
        if (result) result = written;
      }
      for (unsigned i = 0; i < taken; ++i) {
        pages[i]->clear(PageFlag::writeback);
        core::release_page(*pages[i]);
      }
      if (last - index < taken) break;
      index += taken;
    }
  }
  if (dirty_.load(std::memory_order_acquire) == 0) Writeback::became_clean(*this);
  return result;
}

Result<void> PageCache::rearrange(std::uint64_t offset, std::uint64_t new_size,
                                  base::FunctionRef<Result<void>()> change) {
  std::uint64_t first = offset >> page_shift;
  // Programs may write through mappings until the lock is held: what is dirty by then is written first.
  for (unsigned attempt = 0;; ++attempt) {
    unmap_range(first, ~std::uint64_t{0}, PrivateCopies::keep);
    TRY(write_back(first << page_shift, ~std::uint64_t{0}));
    core::WriteGuard contents{contents_lock_};
    core::MutexGuard writing{writeback_mutex_};
    unmap_range(first, ~std::uint64_t{0}, PrivateCopies::keep);
    collect_mapped_dirty(first, ~std::uint64_t{0});
    {
      core::MutexGuard guard{tree_mutex_};
      std::uint64_t index = first;
      if (tree_.find_next_tagged(index, ~std::uint64_t{0})) {
        if (attempt == 100) return error(Errno::ebusy);
        continue;
      }
    }
    unmap_range(first, ~std::uint64_t{0}, PrivateCopies::remove);
    remove_pages(first, ~std::uint64_t{0}, Mapped::no);
    TRY(change());
    set_size(new_size);
    return {};
  }
}

void PageCache::record_error(Errno code) {
  std::uint32_t old = error_state_.load(std::memory_order_relaxed), fresh;
  do {
    fresh = ((old >> 12) + 1) << 12 | (static_cast<std::uint32_t>(code) & 0xfff);
  } while (!error_state_.compare_exchange_weak(old, fresh, std::memory_order_acq_rel));
}

Result<void> PageCache::check_error(std::atomic<std::uint32_t>& seen) const {
  std::uint32_t now = error_state_.load(std::memory_order_acquire);
  if (seen.exchange(now, std::memory_order_acq_rel) == now) return {};
  return error(static_cast<Errno>(now & 0xfff));
}

Result<void> PageCache::synchronise(std::uint64_t first_byte, std::uint64_t last_byte) {
  return write_back(first_byte, last_byte);
}

// ---- Dropping ----

std::uint64_t PageCache::drop_clean_locked(std::uint64_t& index, std::uint64_t wanted, bool spare_used) {
  std::uint64_t dropped = 0;
  for (unsigned looked = 0; dropped < wanted && looked < 256; ++looked) {
    Page* page = tree_.find_next(index, ~std::uint64_t{0});
    if (!page) {
      index = 0;
      break;
    }
    std::uint64_t at = index++;
    constexpr auto busy =
        static_cast<std::uint32_t>(PageFlag::dirty) | static_cast<std::uint32_t>(PageFlag::locked) |
        static_cast<std::uint32_t>(PageFlag::writeback) | static_cast<std::uint32_t>(reserved_page);
    if (page->flags.load(std::memory_order_acquire) & busy) continue;
    if (spare_used && page->test_and_clear(PageFlag::referenced)) continue;
    // The tree's reference is the only one, and from here on nobody gets another: lookups fail and look
    // again.
    std::uint32_t only = 1;
    if (!page->references.compare_exchange_strong(only, 0, std::memory_order_acq_rel)) continue;
    if (page->flags.load(std::memory_order_acquire) & busy) {
      page->references.store(1, std::memory_order_release);
      continue;
    }
    tree_.remove(at);
    page->mapped = {nullptr, 0};
    core::free_pages(*page, 0);
    ++dropped;
  }
  if (dropped) {
    count(-static_cast<long>(dropped));
    store_->uncharge(dropped);
  }
  return dropped;
}

std::uint64_t PageCache::drop_clean() {
  std::uint64_t total = 0, index = 0;
  do {
    core::MutexGuard guard{tree_mutex_};
    total += drop_clean_locked(index, ~std::uint64_t{0}, false);
  } while (index);
  return total;
}

}  // namespace page_cache
