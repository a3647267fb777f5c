#include "page_cache/page_cache.h"

#include <cstring>
#include <optional>

#include "base/check.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/memory/user_copy.h"
#include "swappable_caches.h"
#include "writeback_internal.h"

namespace page_cache {

using base::Errno;
using base::error;
using core::Page;
using core::page_shift;
using core::page_size;
using core::PageFlag;
using core::PageRef;

Result<RefPtr<PageCache>> PageCache::create(PageStore& store) {
  auto* cache = new (std::nothrow) PageCache(store);
  if (!cache) return error(Errno::enomem);
  if (!cache->memory_only_) Writeback::add(*cache);
  if (cache->memory_only_ && store.may_swap()) SwappableCaches::add(*cache);
  return RefPtr<PageCache>::adopt(cache);
}

PageCache::~PageCache() { base::debug_verify(resident_pages() == 0, "page cache destroyed with pages"); }

void PageCache::last_reference_dropped() {
  if (!memory_only_) Writeback::remove(*this);
  if (memory_only_) SwappableCaches::remove(*this);
  core::rcu_retire(rcu_, [](core::RcuHead& head) { delete base::container_of(&head, &PageCache::rcu_); });
}

void PageCache::count(long pages) {
  resident_.fetch_add(static_cast<std::uint64_t>(pages), std::memory_order_relaxed);
  core::count_memory(core::MemoryCounter::file_cache, pages);
  if (memory_only_) core::count_memory(core::MemoryCounter::shared_memory, pages);
}

// Swapped pages belong to the file as before, but take no memory.
void PageCache::count_swapped(long pages) {
  core::count_memory(core::MemoryCounter::file_cache, -pages);
  core::count_memory(core::MemoryCounter::shared_memory, -pages);
}

PageRef PageCache::find(std::uint64_t index) {
  core::RcuReadGuard guard;
  return tree_.acquire(index);
}

Result<void> PageCache::insert(std::uint64_t index, Page& page) {
  TRY(store_->charge(1));
  if (!page.has(core::PageFlag::locked)) page.set(core::PageFlag::up_to_date);
  if (memory_only_) page.set(core::PageFlag::swap_backed);
  page.mapped = {this, index};
  core::MutexGuard guard{tree_mutex_};
  auto result = tree_.insert(index, page);
  if (!result) {
    store_->uncharge(1);
    return result;
  }
  page.acquire();  // the tree's
  count(1);
  return {};
}

// A page of zeroes, of a memory store.
Result<PageRef> PageCache::create_page(std::uint64_t index) {
  for (;;) {
    PageRef page = TRY(core::allocate_page(core::AllocationFlags::user | core::AllocationFlags::zero));
    auto result = insert(index, *page);
    if (result) return page;
    if (result.error() != Errno::eexist) return error(result.error());
    if (PageRef other = TRY(find_or_bring_back(index))) return other;
  }
}

Result<PageRef> PageCache::page_for(std::uint64_t index, core::FaultAccess) {
  if (index >= (size() + page_size - 1) >> page_shift) return error(Errno::enxio);
  if (!memory_only_) return read_page(index, 16);
  if (PageRef page = TRY(find_or_bring_back(index))) return page;
  PageRef page = TRY(create_page(index));
  // A truncation that came in between has not seen the page.
  if (index >= (size() + page_size - 1) >> page_shift) {
    remove_pages(index, index, Mapped::maybe);
    return error(Errno::enxio);
  }
  return page;
}

void PageCache::map_around(std::uint64_t first, std::uint64_t last,
                           base::FunctionRef<bool(std::uint64_t index, Page& page)> offer) {
  std::uint64_t pages = (size() + page_size - 1) >> page_shift;
  if (pages == 0) return;
  if (last >= pages) last = pages - 1;
  for (std::uint64_t index = first; index <= last; ++index) {
    Page* page = tree_.find_next(index, last);
    if (!page) return;
    if (FolioTree::is_word(page)) continue;
    // The offer takes its own reference; ours makes sure that it is the right page meanwhile.
    if (!page->head()->try_acquire()) continue;
    bool usable = tree_.find(index) == page && page->has(core::PageFlag::up_to_date);
    bool more = !usable || offer(index, *page);
    core::release_page(*page);
    if (!more) return;
  }
}

bool PageCache::is_resident(std::uint64_t index) {
  core::RcuReadGuard guard;
  Page* page = tree_.find(index);
  if (page && FolioTree::is_word(page))
    return core::is_in_swap_cache(core::SwapEntry::from_value(FolioTree::word_of(page)));
  return page && page->has(core::PageFlag::up_to_date);
}

bool PageCache::has_page(std::uint64_t index) {
  core::RcuReadGuard guard;
  Page* page = tree_.find(index);
  return page && (FolioTree::is_word(page) || page->has(core::PageFlag::up_to_date));
}

// ---- Read and write ----

// Under RCU. No tail of a larger page; null where find() would have to try again, too.
Page* PageCache::try_acquire_resident(std::uint64_t index) const {
  constexpr auto ready = static_cast<std::uint32_t>(PageFlag::up_to_date),
                 used = static_cast<std::uint32_t>(PageFlag::referenced),
                 tail = static_cast<std::uint32_t>(PageFlag::compound_tail);
  const std::atomic<void*>* slot = tree_.find_slot(index);
  if (!slot) [[unlikely]]
    return nullptr;
  // acquire: a descriptor found is complete.
  void* entry = slot->load(std::memory_order_acquire);
  if (!FolioTree::is_page(entry)) [[unlikely]]
    return nullptr;
  auto* page = static_cast<Page*>(entry);
  if (!page->try_acquire()) [[unlikely]]
    return nullptr;
  // acquire: the content was there before the flag, and the slot is looked at after the reference was taken.
  std::uint32_t flags = page->flags.load(std::memory_order_acquire);
  if ((flags & (ready | tail)) == ready && slot->load(std::memory_order_acquire) == entry) [[likely]] {
    if (!(flags & used)) [[unlikely]]
      page->set(PageFlag::referenced);
    return page;
  }
  core::release_page(*page);
  return nullptr;
}

std::size_t PageCache::read_resident(core::UserAddress to, std::size_t size, std::uint64_t offset) {
  std::size_t within = offset & (page_size - 1);
  if (size > page_size - within) [[unlikely]]
    return 0;
  // Where the sum wraps around, there is no page at the offset.
  if (offset + size > this->size()) [[unlikely]]
    return 0;
  Page* page;
  {
    core::RcuReadGuard guard;
    page = try_acquire_resident(offset >> page_shift);
    if (!page) [[unlikely]]
      return 0;
  }
  bool copied = core::copy_to_user(to, {core::data_of<const std::byte>(*page) + within, size}).has_value();
  core::release_head_page(*page);  // try_acquire_resident() gives no others
  return copied ? size : 0;
}

Result<std::size_t> PageCache::read(core::IoBuffer& buffer, std::uint64_t offset) {
  std::size_t total = 0;
  while (!buffer.empty()) {
    std::uint64_t end = size();
    if (offset >= end) break;
    std::size_t within = offset & (page_size - 1);
    std::size_t count = page_size - within;
    if (count > end - offset) count = static_cast<std::size_t>(end - offset);
    if (count > buffer.remaining()) count = buffer.remaining();
    auto found = memory_only_ ? find_or_bring_back(offset >> page_shift)
                              : read_page(offset >> page_shift,
                                          (within + buffer.remaining() + page_size - 1) >> page_shift);
    if (!found) {
      if (total) break;
      return error(found.error());
    }
    PageRef page = std::move(*found);
    std::size_t done = page ? buffer.copy_out({page.data() + within, count}) : buffer.zero(count);
    total += done;
    offset += done;
    if (done < count) break;
  }
  if (total == 0 && buffer.faulted()) return error(Errno::efault);
  return total;
}

Result<std::size_t> PageCache::read_pages(std::uint64_t offset, std::size_t length, core::PageSink& sink) {
  std::size_t total = 0;
  while (total < length) {
    std::uint64_t end = size();
    if (offset >= end) break;
    std::size_t within = offset & (page_size - 1);
    std::size_t count = page_size - within;
    if (count > end - offset) count = static_cast<std::size_t>(end - offset);
    if (count > length - total) count = length - total;
    Result<PageRef> page = memory_only_ ? find_or_bring_back(offset >> page_shift)
                                        : read_page(offset >> page_shift,
                                                    (within + length - total + page_size - 1) >> page_shift);
    if (page && !*page) page = core::allocate_page(core::AllocationFlags::user | core::AllocationFlags::zero);
    if (!page) {
      if (total) break;
      return error(page.error());
    }
    std::size_t taken =
        sink.take(std::move(*page), static_cast<std::uint32_t>(within), static_cast<std::uint32_t>(count));
    total += taken;
    offset += taken;
    if (taken < count) break;
  }
  return total;
}

Result<std::size_t> PageCache::write_page(core::IoBuffer& buffer, std::uint64_t index, std::size_t within,
                                          std::size_t count) {
  if (!memory_only_) return write_disk_page(buffer, index, within, count);
  PageRef page = TRY(find_or_bring_back(index));
  if (page) return buffer.copy_in({page.data() + within, count});
  // A fresh page is filled before others can see it, and only the rest of it is zeroed.
  page = TRY(core::allocate_page(core::AllocationFlags::user));
  std::byte* bytes = page.data();
  std::size_t done = buffer.copy_in({bytes + within, count});
  if (done == 0) return 0;
  std::memset(bytes, 0, within);
  std::memset(bytes + within + done, 0, page_size - within - done);
  auto result = insert(index, *page);
  if (result) return done;
  buffer.revert(done);
  if (result.error() != Errno::eexist) return error(result.error());
  return write_page(buffer, index, within, count);  // a page fault was faster
}

Result<std::size_t> PageCache::write(core::IoBuffer& buffer, std::uint64_t offset) {
  std::size_t total = 0;
  while (!buffer.empty()) {
    std::size_t within = offset & (page_size - 1);
    std::size_t count = page_size - within;
    if (count > buffer.remaining()) count = buffer.remaining();
    auto done = write_page(buffer, offset >> page_shift, within, count);
    if (!done) {
      if (total) break;
      return error(done.error());
    }
    total += *done;
    offset += *done;
    if (*done && offset > size_.load(std::memory_order_relaxed))
      size_.store(offset, std::memory_order_release);
    if (*done < count) break;
  }
  if (total == 0 && buffer.faulted()) return error(Errno::efault);
  return total;
}

Result<void> PageCache::put_page(std::uint64_t index, PageRef page, std::uint64_t new_size) {
  if (!memory_only_) TRY(reserve(*page, index));
  auto result = insert(index, *page);
  if (!result) {
    if (page->test_and_clear(reserved_page)) store_->cancel_reservation(1);
    return result;
  }
  if (!memory_only_) mark_dirty(*page, index);
  if (new_size > size()) set_size(new_size);
  return {};
}

// ---- Truncation and holes ----

void PageCache::remove_pages(std::uint64_t first, std::uint64_t last, Mapped mapped) {
  constexpr unsigned batch_size = 32;
  Page* batch[batch_size];
  for (std::uint64_t index = first; index <= last;) {
    unsigned taken = 0;
    std::uint64_t batch_first = index, batch_last = index;
    {
      core::MutexGuard guard{tree_mutex_};
      while (taken < batch_size && index <= last) {
        Page* page = tree_.find_next(index, last);
        if (!page) {
          index = last;
          break;
        }
        if (!memory_only_) note_removed_locked(*page, index);
        tree_.remove(index);
        // Of a word nothing is mapped; it is counted as the pages are.
        if (FolioTree::is_word(page))
          core::release_swap(core::SwapEntry::from_value(FolioTree::word_of(page)));
        if (taken == 0) batch_first = index;
        batch_last = index;
        batch[taken++] = page;
        if (index == last) break;
        ++index;
      }
    }
    if (taken == 0) break;
    if (mapped == Mapped::maybe) unmap_range(batch_first, batch_last, PrivateCopies::keep);
    long swapped = 0;
    for (unsigned i = 0; i < taken; ++i) {
      if (FolioTree::is_word(batch[i])) {
        ++swapped;
        continue;
      }
      // A late reader may still hold the page; it no longer belongs to the file.
      if (batch[i]->map_count.load(std::memory_order_relaxed) <= 0) batch[i]->mapped = {nullptr, 0};
      core::release_page(*batch[i]);
    }
    count(-static_cast<long>(taken));
    if (swapped) count_swapped(-swapped);
    store_->uncharge(taken);
    if (batch_last >= last) break;
  }
}

Result<void> PageCache::zero_within(std::uint64_t index, std::size_t from, std::size_t to) {
  if (memory_only_) {
    if (PageRef page = TRY(find_or_bring_back(index))) std::memset(page.data() + from, 0, to - from);
    return {};
  }
  PageRef page = TRY(read_page(index, 1));
  TRY(reserve(*page, index));
  std::memset(page.data() + from, 0, to - from);
  mark_dirty(*page, index);
  return {};
}

Result<void> PageCache::clear_behind_end() {
  std::uint64_t end = size();
  if (!(end & (page_size - 1))) return {};
  // Nothing but a mapping writes there; without the page in memory there is nothing to clear.
  PageRef page = memory_only_ ? TRY(find_or_bring_back(end >> page_shift)) : find(end >> page_shift);
  if (!page) return {};
  const std::byte* bytes = page.data();
  for (std::size_t at = end & (page_size - 1); at < page_size; ++at)
    if (bytes[at] != std::byte{0}) return zero_within(end >> page_shift, end & (page_size - 1), page_size);
  return {};
}

Result<void> PageCache::truncate(std::uint64_t new_size) {
  std::uint64_t old_size = size();
  if (new_size > old_size) TRY(clear_behind_end());
  // The part of the last page that goes, before anything is changed: it may have to be read.
  std::size_t kept = new_size & (page_size - 1);
  if (new_size < old_size && kept && !memory_only_) TRY(zero_within(new_size >> page_shift, kept, page_size));
  set_size(new_size);
  if (new_size >= old_size) return {};
  std::optional<core::WriteGuard> contents;
  std::optional<core::MutexGuard> writing;
  if (!memory_only_) {
    contents.emplace(contents_lock_);
    writing.emplace(writeback_mutex_);
  }
  std::uint64_t first_gone = (new_size + page_size - 1) >> page_shift;
  // Private copies of pages beyond the end go too, whether the file has the page or not.
  unmap_range(first_gone, ~std::uint64_t{0}, PrivateCopies::remove);
  remove_pages(first_gone, ~std::uint64_t{0}, Mapped::no);
  if (kept && memory_only_) TRY(zero_within(new_size >> page_shift, kept, page_size));
  return {};
}

Result<void> PageCache::punch_hole(std::uint64_t from, std::uint64_t to) {
  if (from >= to) return {};
  std::uint64_t first_whole = (from + page_size - 1) >> page_shift, end_whole = to >> page_shift;
  if (first_whole > end_whole) {  // inside one page
    return zero_within(from >> page_shift, from & (page_size - 1), to & (page_size - 1));
  }
  if (from & (page_size - 1)) TRY(zero_within(from >> page_shift, from & (page_size - 1), page_size));
  if (to & (page_size - 1)) TRY(zero_within(end_whole, 0, to & (page_size - 1)));
  if (first_whole < end_whole) {
    std::optional<core::WriteGuard> contents;
    std::optional<core::MutexGuard> writing;
    if (!memory_only_) {
      contents.emplace(contents_lock_);
      writing.emplace(writeback_mutex_);
    }
    remove_pages(first_whole, end_whole - 1, Mapped::maybe);
  }
  return {};
}

Result<void> PageCache::remove_range(std::uint64_t first_byte, std::uint64_t last_byte) {
  return punch_hole(first_byte, last_byte + 1);
}

Result<void> PageCache::allocate(std::uint64_t from, std::uint64_t to) {
  std::uint64_t first = from >> page_shift, end = (to + page_size - 1) >> page_shift;
  for (std::uint64_t index = first; index < end; ++index) {
    if (auto there = find_or_bring_back(index); there && *there) continue;
    auto page = create_page(index);
    if (page) {
      (*page)->set(core::PageFlag::private_1);  // ours, until all of it stands
      continue;
    }
    // Take back what this call made.
    for (std::uint64_t made = first; made < index; ++made) {
      PageRef other = find(made);
      if (other && other->test_and_clear(core::PageFlag::private_1)) remove_pages(made, made, Mapped::maybe);
    }
    return error(page.error());
  }
  for (std::uint64_t index = first; index < end; ++index)
    if (PageRef page = find(index)) page->clear(core::PageFlag::private_1);
  return {};
}

Result<std::uint64_t> PageCache::seek_data(std::uint64_t offset) {
  std::uint64_t end = size();
  if (offset >= end) return error(Errno::enxio);
  std::uint64_t index = offset >> page_shift;
  core::RcuReadGuard guard;
  if (!tree_.find_next(index, (end - 1) >> page_shift)) return error(Errno::enxio);
  std::uint64_t start = index << page_shift;
  return start > offset ? start : offset;
}

Result<std::uint64_t> PageCache::seek_hole(std::uint64_t offset) {
  std::uint64_t end = size();
  if (offset >= end) return error(Errno::enxio);
  core::RcuReadGuard guard;
  std::uint64_t start = tree_.find_gap(offset >> page_shift, (end - 1) >> page_shift) << page_shift;
  if (start < offset) start = offset;
  return start < end ? start : end;
}

bool PageCache::is_kept_for_dirty_pages() const { return Writeback::is_listed(*this); }

void PageCache::discard() {
  {
    core::WriteGuard contents{contents_lock_};
    core::MutexGuard writing{writeback_mutex_};
    remove_pages(0, ~std::uint64_t{0}, Mapped::no);
  }
  Writeback::became_clean(*this);
}

void PageCache::detach() {
  if (!memory_only_) Writeback::detach(*this);
  set_size(0);
  unmap_range(0, ~std::uint64_t{0}, PrivateCopies::keep);
  if (memory_only_) {
    remove_pages(0, ~std::uint64_t{0}, Mapped::no);
    return;
  }
  core::WriteGuard contents{contents_lock_};
  core::MutexGuard writing{writeback_mutex_};
  remove_pages(0, ~std::uint64_t{0}, Mapped::no);
}

}  // namespace page_cache
