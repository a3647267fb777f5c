// The metadata of a small file system in memory: bytes of its volume, by pages of 4 KiB.
//
//   ByteCache bytes(volume, 1024);
//   TRY(bytes.read(offset, memory));            // EIO; EUCLEAN behind the end of the volume
//   TRY(bytes.write(offset, memory));           // in memory; on the disk within five seconds, or
//   TRY(bytes.write_back());                    // now (without a flush of the device)
//
// Only sectors that were changed are written: those beside them in a page may be the contents of files, which
// go past us.
//
// It is apart from the page cache of the block special file, and from pages of files. More than `pages_max`
// pages are there only while all are in use by one call; the ones used longest ago go first. What cannot be
// written stays, and every write_back() says so.
//
// Locking: mutex_ protects everything and is held while the disk works. A leaf for its users: all their locks
// come before it. Not used in reclaim: nothing here is allocated for dirty pages of files.
#pragma once

#include <cstdint>
#include <span>

#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "block/volume.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "vfs/file_system.h"

namespace byte_cache {

using base::Errno;
using base::RefPtr;
using base::Result;

class ByteCache {
 public:
  ByteCache(block::Volume& volume, std::size_t pages_max) : volume_(volume), pages_max_(pages_max) {}
  // What is dirty is lost: write_back() comes first.
  ~ByteCache();
  ByteCache(const ByteCache&) = delete;
  ByteCache& operator=(const ByteCache&) = delete;

  Result<void> read(std::uint64_t offset, std::span<std::byte> out) EXCLUDES(mutex_);
  Result<void> write(std::uint64_t offset, std::span<const std::byte> in) EXCLUDES(mutex_);
  Result<void> fill_zero(std::uint64_t offset, std::uint64_t length) EXCLUDES(mutex_);
  template <typename T>
  Result<T> get(std::uint64_t offset) {
    T value;
    TRY(read(offset, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }
  template <typename T>
  Result<void> put(std::uint64_t offset, const T& value) {
    return write(offset, std::as_bytes(std::span(&value, 1)));
  }
  // What is there belongs to somebody else from now on: it is not written any more.
  void forget(std::uint64_t offset, std::uint64_t length) EXCLUDES(mutex_);
  Result<void> write_back() EXCLUDES(mutex_);
  bool has_dirty() const { return dirty_count_.load() != 0; }

 private:
  struct Block {
    std::uint64_t index = 0;
    core::PageRef page;
    std::uint8_t dirty = 0;  // a bit for each sector
    base::TreeHook by_index;
    base::ListHook by_age;
  };
  Result<Block*> block_locked(std::uint64_t index) REQUIRES(mutex_);
  Result<void> make_room_locked() REQUIRES(mutex_);
  Result<void> write_back_locked() REQUIRES(mutex_);
  void mark_dirty_locked(Block& block, std::size_t from, std::size_t count) REQUIRES(mutex_);
  struct Batch;
  Result<void> write_batch_locked(Batch& batch) REQUIRES(mutex_);
  std::uint32_t length_of(std::uint64_t index) const;
  Result<void> check(std::uint64_t offset, std::uint64_t length) const;
  static void periodic(core::Work& work);

  block::Volume& volume_;
  const std::size_t pages_max_;
  core::Mutex mutex_{"byte cache"};
  base::IntrusiveTree<Block, &Block::by_index, &Block::index> blocks_ GUARDED_BY(mutex_);
  base::IntrusiveList<Block, &Block::by_age> ages_ GUARDED_BY(mutex_);  // the oldest first
  std::size_t count_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> dirty_count_{0};  // changes under mutex_
  core::DelayedWork periodic_{&ByteCache::periodic};
};

// Moves bytes between pages of a file and the volume, as few requests as the places on the disk allow.
//
//   PageMover mover(volume, block::Operation::read, first_page, pages);
//   TRY(mover.add(file_offset, length, volume_offset));     // multiples of 512; any number of pieces, in
//   order TRY(mover.finish());
class PageMover {
 public:
  PageMover(block::Volume& volume, block::Operation operation, std::uint64_t first_page,
            std::span<core::Page* const> pages);
  Result<void> add(std::uint64_t file_offset, std::uint64_t length, std::uint64_t volume_offset);
  Result<void> finish();

 private:
  static constexpr unsigned segments_at_once = 64;
  block::Volume& volume_;
  block::Operation operation_;
  std::uint64_t first_page_;
  std::span<core::Page* const> pages_;
  block::Segment segments_[segments_at_once];
  unsigned used_ = 0, most_;
  std::uint64_t start_ = 0, next_ = 0;
};

// Bytes of the volume, past every cache.
Result<void> read_directly(block::Volume& volume, std::uint64_t offset, std::span<std::byte> out);

// The volume behind the source of a mount: a path for programs, a name for the kernel itself. ENOTBLK,
// EACCES, ENXIO.
Result<RefPtr<block::Volume>> volume_of(const vfs::MountOptions& options);

}  // namespace byte_cache
