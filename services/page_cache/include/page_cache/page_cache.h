// The pages of a file in memory: one object for read, write, mmap, sendfile and splice.
//
//   auto cache = TRY(PageCache::create(store));
//   std::size_t done = TRY(cache->write(buffer, offset));    // the file's lock held exclusively
//   std::size_t got = TRY(cache->read(buffer, offset));      // no lock
//   TRY(cache->write_back(from, to));                        // dirty pages to the store
//   mapping: request.object = cache                          // core::MemoryObject
//
// What stands behind it is a PageStore: for a disk file system it reads pages and writes them back; for tmpfs
// pages begin as zeroes, holes stay holes, and the store only counts (charge, uncharge).
//
// A page of a store on disk:
//
//   (absent) ──insert──> locked, being read ──> up to date <──write_back──┐
//                              │ error                │ write, mmap        │
//                              v                      v                    │
//                          (absent)                 dirty (tagged) ────────┘ writeback, while the store has
//                          it
//
// size() is the length of the file in bytes. Invariants:
//   1. A page in the tree holds a reference of the tree, has owner = this and its index. It is up to date, or
//   locked.
//   2. No page lies wholly beyond the size; bytes of the last page beyond the size are zero, except what
//   programs
//      write there through a mapping (which truncation to a larger size and reads never show: grow() clears
//      it).
//   3. A page that left the tree is in nobody's page tables once truncate() or punch_hole() has returned, and
//   no
//      write of it is under way.
//   4. A page with the dirty flag is tagged in the tree, or (only where writable shared mappings exist)
//   write_back()
//      finds it by looking at all.
//
// Locking, in this order: contents_lock_ (shared: pages are being read in; exclusively: pages and what is
// behind them go), writeback_mutex_ (one write_back at a time; truncation), the store's own, tree_mutex_
// (changes of the tree; only the page allocator below it). Readers use RCU and references. write, truncate,
// punch_hole and allocate are serialised by the owner (the inode's lock); page faults come at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/intrusive_list.h"
#include "base/ref.h"
#include "core/memory/io_buffer.h"
#include "core/memory/memory_object.h"
#include "core/memory/page_transfer.h"
#include "core/memory/swap.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "core/sync/rw_mutex.h"
#include "page_cache/folio_tree.h"

namespace page_cache {

using base::Errno;
using base::RefPtr;
using base::Result;

class PageStore {
 public:
  // Room for `pages` more in memory: ENOSPC at a limit. Undone by uncharge().
  virtual Result<void> charge(std::uint64_t pages) { return {}; }
  virtual void uncharge(std::uint64_t pages) {}
  // Content is memory only (tmpfs, shared anonymous memory). The rest is for stores that are not.
  virtual bool is_memory() const { return true; }
  // Of those: whether pages may lie on a swap device for a while (tmpfs; not ramfs).
  virtual bool may_swap() const { return false; }

  // Fills consecutive pages, which are zeroed and which nobody else sees yet. Holes and what lies behind the
  // end stay zero. May sleep.
  virtual Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) { return {}; }
  // Writes consecutive pages; returns when they are written. Bytes behind the end of the file need not be.
  // Programs may change the pages meanwhile: then they are written again later. Pages whose reservation was
  // used lose the flag `reserved_page`.
  virtual Result<void> write_pages(std::uint64_t first, std::span<core::Page* const> pages) { return {}; }
  // A page is about to become dirty. Makes sure that write_pages() will find room for it: true if something
  // was reserved for it now, which cancel_reservation() gives back if the page goes before it is written.
  // ENOSPC, EDQUOT.
  virtual Result<bool> reserve_page(std::uint64_t index) { return false; }
  virtual void cancel_reservation(std::uint64_t pages) {}
  // There is something dirty now (nothing any more): the store keeps itself, and the cache, alive between the
  // two.
  virtual void first_page_dirtied() {}
  virtual void last_page_cleaned() {}

 protected:
  ~PageStore() = default;
};

// Set on pages for which reserve_page() reserved something.
inline constexpr core::PageFlag reserved_page = core::PageFlag::private_2;

class PageCache final : public core::MemoryObject {
 public:
  // The store must outlive every use of the cache but its destruction: detach() ends that.
  static Result<RefPtr<PageCache>> create(PageStore& store);
  ~PageCache() override;
  // The memory stays for a grace period: stat() asks for the size and the pages of a file that it holds no
  // reference on.
  void last_reference_dropped() override;

  std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
  // Pages in memory.
  std::uint64_t resident_pages() const { return resident_.load(std::memory_order_relaxed); }

  // From `offset` to the size at most; 0 at the end. EFAULT if nothing could be copied.
  Result<std::size_t> read(core::IoBuffer& buffer, std::uint64_t offset);
  // The same, by reference: `sink` gets the pages. The page of a hole is one of zeroes of its own.
  Result<std::size_t> read_pages(std::uint64_t offset, std::size_t length, core::PageSink& sink);
  // Grows the file as it goes. A short count after a fault or when room ends; an error if nothing was
  // written.
  Result<std::size_t> write(core::IoBuffer& buffer, std::uint64_t offset);
  // Takes what was given by reference, where a whole page fits (initramfs, splice); copies otherwise.
  Result<void> put_page(std::uint64_t index, core::PageRef page, std::uint64_t new_size);
  Result<void> truncate(std::uint64_t size);
  // Before bytes behind the end are written: what a mapping left between the end and its page's end is
  // cleared.
  Result<void> clear_behind_end();
  // Bytes [from, to): whole pages leave memory, parts are zeroed. The size stays.
  Result<void> punch_hole(std::uint64_t from, std::uint64_t to);
  // Makes pages for [from, to) where there are none; all or (on failure) none. Memory stores only.
  Result<void> allocate(std::uint64_t from, std::uint64_t to);
  void set_size(std::uint64_t size) { size_.store(size, std::memory_order_release); }
  // First byte of data (hole) at or after `offset`, below the size. ENXIO: none. By what is in memory.
  Result<std::uint64_t> seek_data(std::uint64_t offset);
  Result<std::uint64_t> seek_hole(std::uint64_t offset);
  // The page with a reference if it is in memory, whether it is up to date or not; null for a hole. For
  // splice.
  core::PageRef find(std::uint64_t index);
  Result<core::PageRef> get(std::uint64_t index) { return page_for(index, core::FaultAccess::write); }
  // The owner goes: drops every page, dirty or not; the store is not used afterwards.
  void detach();

  // ---- Stores on disk ----
  // Gives dirty pages with bytes in [from, to] to the store and waits. The first error is returned, and
  // recorded for everybody who looks with check_error().
  Result<void> write_back(std::uint64_t from, std::uint64_t to);
  bool has_dirty_pages() const {
    return dirty_.load(std::memory_order_acquire) || untagged_dirty_.load(std::memory_order_acquire) ||
           has_writable_shared_mappings();
  }
  bool is_dirty(std::uint64_t index);
  // The file was deleted and nobody has it open: dirty pages need not be written.
  void discard();
  // Whether the store keeps itself for the dirty pages (first_page_dirtied()).
  bool is_kept_for_dirty_pages() const;
  // The owner moves the blocks of everything from `offset` on: it is written back, leaves memory (private
  // copies too), and nothing comes in while `change` runs; the size is `new_size` afterwards, if it
  // succeeded.
  Result<void> rearrange(std::uint64_t offset, std::uint64_t new_size,
                         base::FunctionRef<Result<void>()> change);
  // Drops pages that are clean and not mapped; how many.
  std::uint64_t drop_clean();
  // Per open file: what sample_error() gave when it was opened tells check_error() which errors are new to
  // it.
  std::uint32_t sample_error() const { return error_state_.load(std::memory_order_acquire); }
  Result<void> check_error(std::atomic<std::uint32_t>& seen) const;
  void record_error(Errno code);
  // Held shared, nothing leaves memory and nothing is read in by truncation or holes; for owners that move
  // blocks.
  core::RwMutex& contents_lock() RETURN_CAPABILITY(contents_lock_) { return contents_lock_; }
  core::Mutex& writeback_mutex() RETURN_CAPABILITY(writeback_mutex_) { return writeback_mutex_; }

  // ---- core::MemoryObject ----
  Result<core::PageRef> page_for(std::uint64_t index, core::FaultAccess access) override;
  void map_around(std::uint64_t first, std::uint64_t last,
                  base::FunctionRef<bool(std::uint64_t index, core::Page& page)> offer) override;
  Result<void> remove_range(std::uint64_t first_byte, std::uint64_t last_byte) override;
  bool is_resident(std::uint64_t index) override;
  bool has_page(std::uint64_t index) override;
  std::size_t read_resident(core::UserAddress to, std::size_t size, std::uint64_t offset) override;
  bool is_shared_memory() const override { return memory_only_; }
  bool tracks_writes() const override { return !memory_only_; }
  Result<void> make_writable(core::Page& page, std::uint64_t index) override;
  void page_dirtied(core::Page& page, std::uint64_t index) override;
  Result<void> synchronise(std::uint64_t first_byte, std::uint64_t last_byte) override;
  void read_ahead(std::uint64_t first_index, std::uint64_t page_count) override;

 private:
  friend class Writeback;
  friend class SwappableCaches;
  explicit PageCache(PageStore& store) : store_(&store), memory_only_(store.is_memory()) {}

  core::Page* try_acquire_resident(std::uint64_t index) const;
  Result<core::PageRef> create_page(std::uint64_t index);
  Result<void> insert(std::uint64_t index, core::Page& page);
  Result<std::size_t> write_page(core::IoBuffer& buffer, std::uint64_t index, std::size_t within,
                                 std::size_t count);
  // `no`: no page table can have them any more.
  enum class Mapped { no, maybe };
  void remove_pages(std::uint64_t first, std::uint64_t last, Mapped mapped);
  Result<void> zero_within(std::uint64_t index, std::size_t from, std::size_t to);
  void count(long pages);
  void count_swapped(long pages);

  // ---- swapped_pages.cpp: memory stores ----
  // As find(), but brings back what lies on a swap device.
  Result<core::PageRef> find_or_bring_back(std::uint64_t index);
  Result<core::PageRef> bring_back(std::uint64_t index, core::Page* entry);
  void swap_out(core::SwapOut& out, std::uint64_t& wanted);
  bool try_swap_out_locked(std::uint64_t index, core::Page& page, core::SwapOut& out) REQUIRES(tree_mutex_);
  Result<void> bring_in(unsigned device);

  // ---- disk_pages.cpp: stores on disk ----
  Result<core::PageRef> read_page(std::uint64_t index, std::uint64_t wanted_pages);
  Result<void> read_in(std::uint64_t first, std::uint64_t wanted);
  std::uint64_t window_at(std::uint64_t index, std::uint64_t wanted_pages);
  Result<std::size_t> write_disk_page(core::IoBuffer& buffer, std::uint64_t index, std::size_t within,
                                      std::size_t count);
  Result<void> reserve(core::Page& page, std::uint64_t index);
  void mark_dirty(core::Page& page, std::uint64_t index);
  void tag_dirty(core::Page& page, std::uint64_t index);
  void note_removed_locked(core::Page& page, std::uint64_t index) REQUIRES(tree_mutex_);
  void collect_mapped_dirty(std::uint64_t first, std::uint64_t last);
  unsigned take_dirty_run(std::uint64_t& index, std::uint64_t last, core::Page** pages);
  void pages_cleaned(std::uint64_t pages);
  std::uint64_t drop_clean_locked(std::uint64_t& index, std::uint64_t wanted, bool spare_used)
      REQUIRES(tree_mutex_);

  PageStore* store_;
  core::RcuHead rcu_;
  const bool memory_only_;
  std::atomic<std::uint64_t> size_{0};
  std::atomic<std::uint64_t> resident_{0};
  core::Mutex tree_mutex_{"page cache"};
  FolioTree tree_;  // changed under tree_mutex_

  // ---- Stores on disk ----
  core::RwMutex contents_lock_{"page cache contents"};
  core::Mutex writeback_mutex_{"page cache writeback"};
  std::atomic<std::uint64_t> dirty_{0};        // tagged pages; changes under tree_mutex_
  std::atomic<bool> untagged_dirty_{false};    // page_dirtied() saw one
  std::atomic<std::uint32_t> error_state_{0};  // a count of errors, and the last one in the low 12 bits
  // Where a sequential reader will come next, and how much was read for it. Hints.
  std::atomic<std::uint64_t> next_read_{0};
  std::atomic<std::uint32_t> window_{0};
  // Writeback's, under its mutex.
  base::ListHook registered_, dirty_hook_;
  std::uint64_t dirty_since_ns_ = 0;
  std::uint64_t clock_index_ = 0;  // where reclaim goes on
};

}  // namespace page_cache
