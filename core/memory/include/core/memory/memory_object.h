// What can be mapped into an address space: the page cache of a file, shared anonymous memory, pages of the
// kernel.
//
// The object hands out pages by index (in pages); the address space maps them. Page-table entries to a page
// of the object hold references on it. Each object keeps the list of areas that map it, so that truncation
// can take its pages away from all of them:
//
//   1. the owner makes page_for() fail for the range (new size, pages removed from the cache)
//   2. object.unmap_range(first, last)     every entry to the range is gone when it returns
//   3. the owner frees the pages
//
// A fault that found the page before step 1 and installs it after step 2 is prevented by invalidations_: it
// is read before page_for() and compared under the page-table lock before the entry is written.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/format.h"
#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/ref.h"
#include "base/result.h"
#include "core/memory/page.h"
#include "core/memory/protection.h"
#include "core/sync/mutex.h"

namespace core {

class Area;
class AddressSpace;
using base::Result;

class MemoryObject : public base::RefCounted<MemoryObject> {
 public:
  MemoryObject() = default;
  virtual ~MemoryObject();
  // The last RefPtr is gone. An object that lives inside something else (an inode) overrides this.
  virtual void last_reference_dropped() { delete this; }

  // The page at `index`, with a reference for the caller. `write` access announces a shared write (a hole
  // must get a page); with `read` a hole may be answered by a page too. May sleep; called with no raw lock,
  // with the address space locked for reading. ENOMEM, or any other error: SIGBUS (past the end: ENXIO).
  virtual Result<PageRef> page_for(std::uint64_t index, FaultAccess access) = 0;
  // Offers pages already resident in [first, last] (inclusive) for mapping read-only around a fault. `offer`
  // takes its own reference and returns false to end. Must not sleep (called with preemption off, under RCU).
  virtual void map_around(std::uint64_t first, std::uint64_t last,
                          base::FunctionRef<bool(std::uint64_t index, Page& page)> offer) {}
  // Whether the object wants make_writable() before a page becomes writable in a shared mapping (dirty
  // tracking). If not, entries are made writable at once and only page_dirtied() is called when they go.
  virtual bool tracks_writes() const { return false; }
  virtual Result<void> make_writable(Page& page, std::uint64_t index) { return {}; }
  // An entry of a shared mapping that had been written through is gone. Raw page-table lock held: only mark.
  virtual void page_dirtied(Page& page, std::uint64_t index) { page.set(PageFlag::dirty); }
  // msync(MS_SYNC) over bytes [first, last].
  virtual Result<void> synchronise(std::uint64_t first_byte, std::uint64_t last_byte) { return {}; }
  // MADV_REMOVE: punches a hole.
  virtual Result<void> remove_range(std::uint64_t first_byte, std::uint64_t last_byte) {
    return base::error(base::Errno::eopnotsupp);
  }
  // MADV_WILLNEED.
  virtual void read_ahead(std::uint64_t first_index, std::uint64_t page_count) {}
  // mincore(): whether the page is in memory.
  virtual bool is_resident(std::uint64_t index) { return true; }
  // Whether there is a page, in memory or on a swap device.
  virtual bool has_page(std::uint64_t index) { return is_resident(index); }
  // Copies `size` bytes at byte `offset` to user memory if they lie in one page that is in memory, up to date
  // and inside the object: `size`, or 0 where any of that is not so or the program's memory faults.
  virtual std::size_t read_resident(UserAddress to, std::size_t size, std::uint64_t offset) { return 0; }
  // tmpfs and shared anonymous memory: counted as RssShmem.
  virtual bool is_shared_memory() const { return false; }
  // Pages without descriptors or that must not be counted (device memory, vDSO data).
  virtual bool is_special() const { return false; }
  // A special object whose frames are memory without side effects: debuggers and core files may read them.
  virtual bool is_plain_memory() const { return false; }
  // For special objects: the frame to map and how, instead of page_for().
  struct Frame {
    PhysicalAddress address;
    bool write_combining = false, uncached = false;
  };
  virtual Result<Frame> frame_for(std::uint64_t index) { return base::error(base::Errno::enxio); }

  // Takes the pages [first, last] (inclusive, ~0 = to the end) out of every address space that maps them.
  // With `private_copies` also the copies that private mappings made (truncation), else only entries to our
  // own pages (hole punching, reclaim). May sleep.
  enum class PrivateCopies { keep, remove };
  void unmap_range(std::uint64_t first, std::uint64_t last, PrivateCopies copies);
  // Makes every entry to the page read-only and reports whether one was dirty: before writeback. May sleep.
  bool write_protect_page(Page& page, std::uint64_t index);
  // Whether some entry to the page was used since the last call (and forgets it): the clock of reclaim.
  bool test_and_clear_accessed(std::uint64_t index);
  bool is_mapped() const { return mapping_count_.load(std::memory_order_relaxed) != 0; }
  // Shared mappings that may write (deny-write, seals).
  bool has_writable_shared_mappings() const { return writable_mappings_.load(std::memory_order_relaxed) > 0; }

 private:
  friend class AddressSpace;
  friend class Area;
  friend struct Mapper;
  friend struct ObjectMappings;
  friend struct AreaOperations;

  // Protects mappings_ and keeps the page tables of listed areas from being freed.
  Mutex mappings_lock_;
  // The areas that map the object (Area::mapping_hook), in no order.
  base::ListHook mappings_ GUARDED_BY(mappings_lock_);
  std::atomic<std::uint32_t> mapping_count_{0};
  std::atomic<std::int32_t> writable_mappings_{0};
  std::atomic<std::uint32_t> invalidations_{0};
};

// Who the mapping belongs to in the user's eyes: the open file. Implemented by the file layer; the area holds
// a counted reference through acquire/release.
struct MappingIdentity {
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;
};
class MappedFile {
 public:
  virtual void acquire_mapped_file() = 0;
  virtual void release_mapped_file() = 0;
  virtual void put_path(base::TextSink& sink) = 0;
  virtual MappingIdentity identity() = 0;

 protected:
  ~MappedFile() = default;
};

// Zero-filled memory shared by whoever maps it: MAP_SHARED|MAP_ANONYMOUS, System V segments. Not counted
// against the commit limit (the mapping is).
Result<base::RefPtr<MemoryObject>> create_shared_memory(std::uint64_t size_bytes);
// Given pages of the kernel (vDSO): always resident, never written back. Takes its own references.
Result<base::RefPtr<MemoryObject>> create_fixed_pages(Page* const* pages, std::uint32_t count);

}  // namespace core
