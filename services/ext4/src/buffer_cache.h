// The metadata blocks of one file system in memory.
//
//   BufferRef buffer = TRY(cache.read(block));            // EIO; EUCLEAN for a block that cannot be
//   auto* header = buffer->as<ExtentHeader>();
//   BufferRef fresh = TRY(cache.make(block));             // zeroes, without reading
//
// A block is here at most once. Buffers that nobody refers to stay until more than `unused_max` of them are
// there. The journal keeps a reference on those it has changed until they are at home, so what is read again
// from the disk is what was committed.
//
// Who may touch the bytes: the owner of what is in the block (directory: its lock, extents: map_lock of the
// inode, bitmaps and descriptors: the allocators' mutex). The journal copies them while no handle is open.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "block/volume.h"
#include "core/memory/page.h"
#include "core/sync/mutex.h"

namespace ext4 {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

class BufferCache;

class Buffer {
 public:
  std::uint64_t block() const { return block_; }
  std::byte* bytes() const { return page_.data(); }
  template <typename T>
  T* as(std::size_t offset = 0) const {
    // SAFETY: the structures of format.h are packed and made of plain numbers; callers stay within the block.
    return static_cast<T*>(static_cast<void*>(page_.data() + offset));
  }
  void acquire_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release_reference();
  // Its content has passed the checks that its kind has (checksum, structure).
  std::atomic<bool> verified{false};

 private:
  friend class BufferCache;
  friend class Journal;
  BufferCache* cache_ = nullptr;
  std::uint64_t block_ = 0;
  core::PageRef page_;
  std::atomic<std::uint32_t> references_{1};
  core::Mutex read_mutex_{"buffer read"};
  std::atomic<bool> up_to_date_{false};
  base::TreeHook by_block_;
  base::ListHook unused_;
  // ---- The journal's, under its mutex ----
  std::uint32_t joined_ = 0;  // the transaction that will write it
  std::uint32_t place_ = 0;   // among the blocks of that transaction
  bool is_joined_ = false;
  std::uint32_t revoked_in_ =
      0;                // the last transaction that revoked the block while the buffer was here; 0: none
  core::PageRef copy_;  // room for what will be committed
  core::PageRef committing_;  // of the transaction that is being written into the log
  core::PageRef committed_;   // committed, not yet at home
  base::ListHook checkpoint_;
};
using BufferRef = RefPtr<Buffer>;

class BufferCache {
 public:
  BufferCache(block::Volume& volume, std::uint32_t block_size) : volume_(volume), block_size_(block_size) {}
  ~BufferCache();

  std::uint32_t block_size() const { return block_size_; }
  block::Volume& volume() const { return volume_; }
  Result<BufferRef> read(std::uint64_t block);
  Result<BufferRef> make(std::uint64_t block);
  // Already here, or null.
  BufferRef find(std::uint64_t block);
  // Once, before the first block.
  void set_block_size(std::uint32_t size) { block_size_ = size; }
  // Forgets what nobody refers to.
  void drop_unused();
  // Blocks that can be read: those of the file system.
  void set_block_count(std::uint64_t blocks) { blocks_ = blocks; }
  std::uint64_t block_count() const { return blocks_; }

  std::uint64_t sector_of(std::uint64_t block) const { return block * (block_size_ >> block::sector_shift); }
  Result<void> write(std::uint64_t block, const core::PageRef& page, block::Durability durability);

 private:
  friend class Buffer;
  static constexpr std::size_t unused_max = 4096;
  Result<BufferRef> get(std::uint64_t block);
  void released(Buffer& buffer);

  block::Volume& volume_;
  std::uint32_t block_size_;
  std::uint64_t blocks_ = 0;
  core::Mutex mutex_{"buffer cache"};
  base::IntrusiveTree<Buffer, &Buffer::by_block_, &Buffer::block_> buffers_ GUARDED_BY(mutex_);
  base::IntrusiveList<Buffer, &Buffer::unused_> unused_ GUARDED_BY(mutex_);
  std::size_t unused_count_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ext4
