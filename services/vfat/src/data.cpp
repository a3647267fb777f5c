// The contents of files: between the page cache and the clusters.
#include <cstring>

#include "core/memory/io_buffer.h"
#include "core/memory/page_allocator.h"
#include "inode.h"

namespace vfat {

using core::MutexGuard;
using core::Page;
using core::page_shift;
using core::page_size;

// Bytes up to `end` of the pages.
Result<void> VfatInode::move_data(block::Operation operation, std::uint64_t first,
                                  std::span<Page* const> pages, std::uint64_t end) {
  std::uint64_t at = first << page_shift, limit = (first + pages.size()) << page_shift;
  // Whole sectors: what lies behind the end of the file in the last one means nothing.
  end = (end + block::sector_size - 1) & ~std::uint64_t{block::sector_size - 1};
  if (end > limit) end = limit;
  std::uint32_t cluster_bytes = vfat().cluster_bytes();
  byte_cache::PageMover mover(vfat().volume(), operation, first, pages);
  while (at < end) {
    auto index = static_cast<std::uint32_t>(at / cluster_bytes);
    std::uint64_t within = at % cluster_bytes;
    Chain::Mapping mapping;
    {
      MutexGuard guard{chain_mutex_};
      mapping = TRY(chain_.map(index));
    }
    if (mapping.count == 0) return vfat().corrupted("a file longer than its clusters, size", size());
    std::uint64_t length = std::uint64_t{mapping.count} * cluster_bytes - within;
    if (length > end - at) length = end - at;
    TRY(mover.add(at, length, vfat().place_of(mapping.cluster) + within));
    at += length;
  }
  return mover.finish();
}

Result<void> VfatInode::read_pages(std::uint64_t first, std::span<Page* const> pages) {
  // What was made in memory has its clusters; only what lies in the file is read.
  std::uint64_t end = cache_->size();
  TRY(move_data(block::Operation::read, first, pages, end));
  // The rest of the last sector is somebody's old data.
  std::uint64_t last = end >> page_shift;
  if (last >= first && last < first + pages.size()) {
    std::size_t within = end & (page_size - 1);
    std::memset(core::data_of<std::byte>(*pages[static_cast<std::size_t>(last - first)]) + within, 0,
                page_size - within);
  }
  return {};
}

Result<void> VfatInode::write_pages(std::uint64_t first, std::span<Page* const> pages) {
  if (!vfat().is_writable()) return error(Errno::erofs);
  return move_data(block::Operation::write, first, pages, cache_->size());
}

// Clusters are there before the bytes: there is nothing to promise.
Result<bool> VfatInode::reserve_page(std::uint64_t) {
  if (!vfat().is_writable()) return error(Errno::erofs);
  return false;
}

Result<std::uint64_t> VfatInode::make_room(std::uint64_t bytes) {
  std::uint32_t cluster_bytes = vfat().cluster_bytes();
  auto wanted = static_cast<std::uint32_t>((bytes + cluster_bytes - 1) / cluster_bytes);
  for (;;) {
    MutexGuard guard{chain_mutex_};
    std::uint32_t have = TRY(chain_.length());
    if (have >= wanted) return bytes;
    auto appended = chain_.append();
    if (appended) continue;
    std::uint64_t room = std::uint64_t{have} * cluster_bytes;
    if (appended.error() == Errno::enospc && room > size()) return room;
    return error(appended.error());
  }
}

Result<void> VfatInode::trim() {
  std::uint32_t cluster_bytes = vfat().cluster_bytes();
  MutexGuard guard{chain_mutex_};
  return chain_.truncate(static_cast<std::uint32_t>((size() + cluster_bytes - 1) / cluster_bytes));
}

Result<void> VfatInode::extend(std::uint64_t new_size) {
  constexpr std::uint64_t at_once = 16 << 20;
  auto room = make_room(new_size);
  Result<void> result;
  if (!room)
    result = error(room.error());
  else if (*room < new_size)
    result = error(Errno::enospc);
  auto zeroes = core::allocate_page(core::AllocationFlags::zero);
  if (result && !zeroes) result = error(zeroes.error());
  if (result) result = cache_->clear_behind_end();
  std::uint64_t written_from = size();
  for (std::uint64_t at = size(); result && at < new_size;) {
    std::uint64_t count = page_size - (at & (page_size - 1));
    if (count > new_size - at) count = new_size - at;
    auto buffer =
        core::IoBuffer::kernel(std::span<const std::byte>(zeroes->data(), static_cast<std::size_t>(count)));
    auto done = cache_->write(buffer, at);
    if (!done) {
      result = error(done.error());
      break;
    }
    at += *done;
    // A long gap does not fill the memory.
    if (at - written_from >= at_once) {
      result = cache_->write_back(written_from, at - 1);
      written_from = at;
    }
  }
  if (result) {
    set_size(new_size);
    return {};
  }
  TRY(cache_->truncate(size()));
  TRY(trim());
  return result;
}

}  // namespace vfat
