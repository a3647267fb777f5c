// The contents of files: between the page cache and the disk, with delayed allocation.
#include "core/memory/page_allocator.h"
#include "core/sync/completion.h"
#include "inode.h"

namespace ext4 {

using core::Page;
using core::page_shift;
using core::page_size;

namespace {

// Moves blocks of pages that lie side by side on the disk.
class PageTransfer {
 public:
  PageTransfer(Ext4FileSystem& file_system, block::Operation operation, std::uint64_t first_page,
               std::span<Page* const> pages)
      : file_system_(file_system), operation_(operation), first_page_(first_page), pages_(pages) {
    const block::DiskLimits& limits = file_system.volume().disk().limits();
    most_ = limits.segments_max < segments_at_once ? limits.segments_max : segments_at_once;
    if (most_ > limits.request_bytes_max / page_size) most_ = limits.request_bytes_max / page_size;
  }

  // Logical blocks [logical, logical + count) lie at `physical`; waits for what does not continue it.
  Result<void> add(std::uint64_t logical, std::uint32_t count, std::uint64_t physical) {
    unsigned shift = file_system_.block_shift();
    while (count) {
      std::uint64_t byte = logical << shift;
      Page* page = pages_[static_cast<std::size_t>((byte >> page_shift) - first_page_)];
      auto within = static_cast<std::uint32_t>(byte & (page_size - 1));
      std::uint32_t blocks = (static_cast<std::uint32_t>(page_size) - within) >> shift;
      if (blocks > count) blocks = count;
      if (used_ && (physical != next_physical_ || used_ == most_)) TRY(finish());
      if (used_ == 0) start_ = physical;
      segments_[used_++] = {page, within, blocks << shift};
      next_physical_ = physical + blocks;
      logical += blocks;
      physical += blocks;
      count -= blocks;
    }
    return {};
  }
  Result<void> finish() {
    if (!used_) return {};
    std::span<const block::Segment> list{segments_, used_};
    used_ = 0;
    std::uint64_t sector = file_system_.buffers().sector_of(start_);
    return operation_ == block::Operation::read
               ? file_system_.volume().read(sector, list)
               : file_system_.volume().write(sector, list, block::Durability::cached);
  }

 private:
  static constexpr unsigned segments_at_once = 64;
  Ext4FileSystem& file_system_;
  block::Operation operation_;
  std::uint64_t first_page_;
  std::span<Page* const> pages_;
  block::Segment segments_[segments_at_once];
  unsigned used_ = 0, most_;
  std::uint64_t start_ = 0, next_physical_ = 0;
};

}  // namespace

Result<void> Ext4Inode::read_pages(std::uint64_t first, std::span<Page* const> pages) {
  unsigned shift = page_shift - ext4().block_shift();
  std::uint64_t at = first << shift, end = (first + pages.size()) << shift;
  // Behind what the disk has there are zeroes.
  std::uint64_t blocks = (disk_size_ + ext4().block_size() - 1) >> ext4().block_shift();
  if (end > blocks) end = blocks;
  PageTransfer transfer(ext4(), block::Operation::read, first, pages);
  core::ReadGuard guard{map_lock_};
  while (at < end) {
    Mapping mapping = TRY(map(static_cast<std::uint32_t>(at)));
    std::uint64_t count = mapping.count < end - at ? mapping.count : end - at;
    if (!mapping.is_hole() && !mapping.unwritten)
      TRY(transfer.add(at, static_cast<std::uint32_t>(count), mapping.physical));
    at += count;
  }
  return transfer.finish();
}

// ---- Writing ----

// When every block has its place: no transaction is needed. False: some have not, and nothing was written.
Result<bool> Ext4Inode::write_mapped(std::uint64_t first, std::span<Page* const> pages) {
  unsigned shift = page_shift - ext4().block_shift();
  std::uint64_t begin = first << shift, end = (first + pages.size()) << shift;
  std::uint64_t blocks = (cache_->size() + ext4().block_size() - 1) >> ext4().block_shift();
  if (end > blocks) end = blocks;
  PageTransfer transfer(ext4(), block::Operation::write, first, pages);
  core::ReadGuard guard{map_lock_};
  for (std::uint64_t at = begin; at < end;) {
    Mapping mapping = TRY(map(static_cast<std::uint32_t>(at)));
    if (mapping.is_hole() || mapping.unwritten) return false;
    at += mapping.count;
  }
  for (std::uint64_t at = begin; at < end;) {
    Mapping mapping = TRY(map(static_cast<std::uint32_t>(at)));
    std::uint64_t count = mapping.count < end - at ? mapping.count : end - at;
    TRY(transfer.add(at, static_cast<std::uint32_t>(count), mapping.physical));
    at += count;
  }
  TRY(transfer.finish());
  return true;
}

// One run of blocks that are of the same kind. The contents are on their way before the transaction that
// makes them reachable can commit: the handle stays open until they are written.
Result<std::uint64_t> Ext4Inode::write_run(std::uint64_t at, std::uint64_t end, std::uint64_t first,
                                           std::span<Page* const> pages) {
  Handle handle;
  TRY(handle.start(ext4().journal(), extent_credits + Ext4FileSystem::allocation_credits + store_credits));
  Mapping mapping;
  std::uint64_t goal = ext4().goal_for(*this);
  {
    core::ReadGuard guard{map_lock_};
    mapping = TRY(map(static_cast<std::uint32_t>(at)));
    if (mapping.is_hole() && at) {
      Mapping before = TRY(map(static_cast<std::uint32_t>(at - 1)));
      if (!before.is_hole()) goal = before.physical + 1;
    }
  }
  auto count = static_cast<std::uint32_t>(mapping.count < end - at ? mapping.count : end - at);
  bool fresh = mapping.is_hole();
  BlockRun run{mapping.physical, count};
  if (fresh) run = TRY(ext4().allocate_blocks(handle, goal, count));
  PageTransfer transfer(ext4(), block::Operation::write, first, pages);
  auto written = transfer.add(at, run.count, run.start);
  if (written) written = transfer.finish();
  core::WriteGuard guard{map_lock_};
  Indivisible change(handle);
  if (written && fresh) written = insert_extent(handle, static_cast<std::uint32_t>(at), run, false);
  if (written && !fresh && mapping.unwritten)
    written = mark_written(handle, static_cast<std::uint32_t>(at), run.count);
  if (!written) {
    // The tree may have grown before it failed; it is a valid one.
    if (fresh) TRY(ext4().free_blocks(handle, run));
    TRY(store(handle));
    TRY(change.done());
    return error(written.error());
  }
  update_disk_size((at + run.count) << ext4().block_shift());
  TRY(store(handle));
  TRY(change.done());
  return at + run.count;
}

void Ext4Inode::update_disk_size(std::uint64_t end) {
  // The cache's size grows with each page of a write that is under way, the inode's only at its end: what is
  // written in between must not be cut off by the old one.
  std::uint64_t limit = cache_->size();
  if (end > limit) end = limit;
  if (end > disk_size_) disk_size_ = end;
}

Result<void> Ext4Inode::write_pages(std::uint64_t first, std::span<Page* const> pages) {
  if (!ext4().is_writable()) return error(Errno::erofs);
  unsigned shift = page_shift - ext4().block_shift();
  std::uint64_t at = first << shift, end = (first + pages.size()) << shift;
  std::uint64_t blocks = (cache_->size() + ext4().block_size() - 1) >> ext4().block_shift();
  if (end > blocks) end = blocks;
  Result<void> result;
  unsigned retries_left = 3;
  if (!TRY(write_mapped(first, pages))) {
    while (at < end) {
      auto next = write_run(at, end, first, pages);
      // What was promised may be blocks that are free only after a commit.
      if (!next && next.error() == Errno::enospc && retries_left && ext4().has_blocks_to_come()) {
        --retries_left;
        if (ext4().journal().commit_running()) continue;
      }
      if (!next) {
        result = error(next.error());
        break;
      }
      at = *next;
    }
  } else {
    update_disk_size(end << ext4().block_shift());  // written with the next store
  }
  for (Page* page : pages)
    if (page->test_and_clear(page_cache::reserved_page)) cancel_reservation(1);
  return result;
}

Result<bool> Ext4Inode::reserve_page(std::uint64_t index) {
  if (!ext4().is_writable()) return error(Errno::erofs);
  unsigned shift = page_shift - ext4().block_shift();
  std::uint64_t at = index << shift, end = (index + 1) << shift;
  {
    core::ReadGuard guard{map_lock_};
    while (at < end) {
      Mapping mapping = TRY(map(static_cast<std::uint32_t>(at)));
      if (mapping.is_hole()) break;
      at += mapping.count;
    }
  }
  if (at >= end) return false;
  std::uint64_t count = std::uint64_t{1} << shift;
  TRY(ext4().reserve_blocks(count));
  promised_pages_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Ext4Inode::cancel_reservation(std::uint64_t pages) {
  promised_pages_.fetch_sub(pages, std::memory_order_relaxed);
  ext4().unreserve_blocks(pages << (page_shift - ext4().block_shift()));
}

Result<void> Ext4Inode::for_each_run(base::FunctionRef<Result<void>(const block::FileRun&)> visit) {
  unsigned shift = ext4().block_shift();
  std::uint64_t end = (disk_size_ + ext4().block_size() - 1) >> shift;
  core::ReadGuard guard{map_lock_};
  for (std::uint64_t at = 0; at < end;) {
    Mapping mapping = TRY(map(static_cast<std::uint32_t>(at)));
    std::uint64_t count = mapping.count < end - at ? mapping.count : end - at;
    if (!mapping.is_hole())
      TRY(visit({.offset = at << shift,
                 .sector = ext4().buffers().sector_of(mapping.physical),
                 .bytes = count << shift}));
    at += count;
  }
  return {};
}

// ---- fallocate ----

Result<void> Ext4Inode::allocate_range(std::uint64_t from, std::uint64_t to) {
  auto result = try_allocate_range(from, to);
  if (result || result.error() != Errno::enospc || !ext4().make_room()) return result;
  return try_allocate_range(from, to);  // what it has got is not made again
}

Result<void> Ext4Inode::try_allocate_range(std::uint64_t from, std::uint64_t to) {
  std::uint64_t at = from >> ext4().block_shift();
  std::uint64_t end = (to + ext4().block_size() - 1) >> ext4().block_shift();
  while (at < end) {
    Handle handle;
    TRY(handle.start(ext4().journal(), extent_credits + Ext4FileSystem::allocation_credits + store_credits));
    core::WriteGuard guard{map_lock_};
    Mapping mapping = TRY(map(static_cast<std::uint32_t>(at)));
    std::uint64_t count = mapping.count < end - at ? mapping.count : end - at;
    if (!mapping.is_hole()) {
      at += count;
      continue;
    }
    std::uint64_t goal = ext4().goal_for(*this);
    if (at) {
      Mapping before = TRY(map(static_cast<std::uint32_t>(at - 1)));
      if (!before.is_hole()) goal = before.physical + 1;
    }
    if (count > extent_unwritten_max) count = extent_unwritten_max;
    TRY(ext4().reserve_blocks(count));
    auto run = ext4().allocate_blocks(handle, goal, static_cast<std::uint32_t>(count));
    ext4().unreserve_blocks(count);
    if (!run) return error(run.error());
    Indivisible change(handle);
    auto inserted = insert_extent(handle, static_cast<std::uint32_t>(at), *run, true);
    if (!inserted) TRY(ext4().free_blocks(handle, *run));
    TRY(store(handle));
    TRY(change.done());
    TRY(inserted);
    at += run->count;
  }
  return {};
}

}  // namespace ext4
