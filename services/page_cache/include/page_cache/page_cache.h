// The pages of a file in memory: one object for read, write, mmap, sendfile and splice.
//
//   auto cache = TRY(PageCache::create(store));
//   std::size_t done = TRY(cache->write(buffer, offset));    // the file's lock held exclusively
//   std::size_t got = TRY(cache->read(buffer, offset));      // no lock
//   mapping: request.object = cache                          // core::MemoryObject
//
// What stands behind it is a PageStore: for a disk file system it fills pages and writes them back; for tmpfs
// pages begin as zeroes, holes stay holes, and the store only counts (charge, uncharge).
//
// size() is the length of the file in bytes. Invariants:
//   1. A page in the tree holds a reference of the tree, has owner = this, its index, and is up to date.
//   2. No page lies wholly beyond the size; bytes of the last page beyond the size are zero, except what
//   programs write
//      there through a mapping (which truncation to a larger size and reads never show: grow() clears it).
//   3. A page that left the tree is in nobody's page tables once truncate() or punch_hole() has returned.
//
// Locking: tree_mutex_ protects changes of the tree; it is a leaf (only the page allocator below it). Readers
// use RCU and references. write, truncate, punch_hole and allocate are serialised by the owner (the inode's
// lock); page faults come at any time.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/ref.h"
#include "core/memory/io_buffer.h"
#include "core/memory/memory_object.h"
#include "core/sync/mutex.h"
#include "page_cache/folio_tree.h"

namespace page_cache {

using base::RefPtr;
using base::Result;

class PageStore {
 public:
  // Room for `pages` more in memory: ENOSPC at a limit. Undone by uncharge().
  virtual Result<void> charge(std::uint64_t pages) { return {}; }
  virtual void uncharge(std::uint64_t pages) {}
  // Fills a page that is not in memory. False: there is nothing (a hole), it is zeroes.
  virtual Result<bool> fill(core::Page& page, std::uint64_t index) { return false; }
  // Content is memory only (tmpfs, shared anonymous memory).
  virtual bool is_memory() const { return true; }

 protected:
  ~PageStore() = default;
};

class PageCache final : public core::MemoryObject {
 public:
  // The store must outlive every use of the cache but its destruction: detach() ends that.
  static Result<RefPtr<PageCache>> create(PageStore& store);
  ~PageCache() override;

  std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
  // Pages in memory.
  std::uint64_t resident_pages() const { return resident_.load(std::memory_order_relaxed); }

  // From `offset` to the size at most; 0 at the end. EFAULT if nothing could be copied.
  Result<std::size_t> read(core::IoBuffer& buffer, std::uint64_t offset);
  // Grows the file as it goes. A short count after a fault or when room ends; an error if nothing was
  // written.
  Result<std::size_t> write(core::IoBuffer& buffer, std::uint64_t offset);
  // Takes what was given by reference, where a whole page fits (initramfs, splice); copies otherwise.
  Result<void> put_page(std::uint64_t index, core::PageRef page, std::uint64_t new_size);
  Result<void> truncate(std::uint64_t size);
  // Before bytes behind the end are written: what a mapping left between the end and its page's end is
  // cleared.
  void clear_behind_end();
  // Bytes [from, to): whole pages leave memory, parts are zeroed. The size stays.
  Result<void> punch_hole(std::uint64_t from, std::uint64_t to);
  // Makes pages for [from, to) where there are none; all or (on failure) none.
  Result<void> allocate(std::uint64_t from, std::uint64_t to);
  void set_size(std::uint64_t size) { size_.store(size, std::memory_order_release); }
  // First byte of data (hole) at or after `offset`, below the size. ENXIO: none.
  Result<std::uint64_t> seek_data(std::uint64_t offset);
  Result<std::uint64_t> seek_hole(std::uint64_t offset);
  // The page with a reference; null for a hole. For splice.
  core::PageRef find(std::uint64_t index);
  Result<core::PageRef> get(std::uint64_t index) { return page_for(index, core::FaultAccess::write); }
  // The owner goes: drops every page; the store is not used afterwards.
  void detach();

  // ---- core::MemoryObject ----
  Result<core::PageRef> page_for(std::uint64_t index, core::FaultAccess access) override;
  void map_around(std::uint64_t first, std::uint64_t last,
                  base::FunctionRef<bool(std::uint64_t index, core::Page& page)> offer) override;
  Result<void> remove_range(std::uint64_t first_byte, std::uint64_t last_byte) override;
  bool is_resident(std::uint64_t index) override;
  bool is_shared_memory() const override { return memory_only_; }

 private:
  explicit PageCache(PageStore& store) : store_(&store), memory_only_(store.is_memory()) {}

  Result<core::PageRef> create_page(std::uint64_t index);
  Result<void> insert(std::uint64_t index, core::Page& page);
  Result<std::size_t> write_page(core::IoBuffer& buffer, std::uint64_t index, std::size_t within,
                                 std::size_t count);
  // `no`: no page table can have them any more.
  enum class Mapped { no, maybe };
  void remove_pages(std::uint64_t first, std::uint64_t last, Mapped mapped);
  void mark_dirty(core::Page& page) {
    if (!memory_only_) page.set(core::PageFlag::dirty);
  }
  void zero_within(std::uint64_t index, std::size_t from, std::size_t to);
  void count(long pages);

  PageStore* store_;
  const bool memory_only_;
  std::atomic<std::uint64_t> size_{0};
  std::atomic<std::uint64_t> resident_{0};
  core::Mutex tree_mutex_{"page cache"};
  FolioTree tree_;  // changed under tree_mutex_
};

}  // namespace page_cache
