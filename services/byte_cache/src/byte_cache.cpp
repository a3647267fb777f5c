#include "byte_cache/byte_cache.h"

#include <cstring>

#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/time/clock.h"

namespace byte_cache {

using base::error;
using core::MutexGuard;
using core::page_shift;
using core::page_size;

namespace {
constexpr std::uint64_t write_after_ns = 5 * core::ns_per_second;
}

ByteCache::~ByteCache() {
  periodic_.cancel_and_wait();
  MutexGuard guard{mutex_};
  while (Block* block = ages_.pop_front()) {
    blocks_.remove(*block);
    delete block;
  }
}

std::uint32_t ByteCache::length_of(std::uint64_t index) const {
  std::uint64_t left = volume_.bytes() - (index << page_shift);
  return static_cast<std::uint32_t>(left < page_size ? left : page_size);
}

Result<void> ByteCache::check(std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t bytes = volume_.bytes();
  if (offset > bytes || length > bytes - offset) return error(Errno::euclean);
  return {};
}

Result<void> ByteCache::make_room_locked() {
  if (count_ < pages_max_) return {};
  if (dirty_count_.load() * 2 > count_) TRY(write_back_locked());
  for (auto& block : ages_) {
    if (block.dirty) continue;
    blocks_.remove(block);
    ages_.remove(block);
    --count_;
    delete &block;
    return {};
  }
  return {};
}

Result<ByteCache::Block*> ByteCache::block_locked(std::uint64_t index) {
  if (Block* found = blocks_.find(index)) {
    ages_.remove(*found);
    ages_.push_back(*found);
    return found;
  }
  TRY(make_room_locked());
  auto fresh = TRY(base::try_make_unique<Block>());
  fresh->page = TRY(core::allocate_page(core::AllocationFlags::zero));
  fresh->index = index;
  block::Segment segment{fresh->page.get(), 0, length_of(index)};
  TRY(volume_.read(index << (page_shift - block::sector_shift), {&segment, 1}));
  Block* block = fresh.release();
  blocks_.insert(*block);
  ages_.push_back(*block);
  ++count_;
  return block;
}

Result<void> ByteCache::read(std::uint64_t offset, std::span<std::byte> out) {
  TRY(check(offset, out.size()));
  MutexGuard guard{mutex_};
  while (!out.empty()) {
    Block* block = TRY(block_locked(offset >> page_shift));
    std::size_t within = offset & (page_size - 1);
    std::size_t count = page_size - within < out.size() ? page_size - within : out.size();
    std::memcpy(out.data(), block->page.data() + within, count);
    out = out.subspan(count);
    offset += count;
  }
  return {};
}

namespace {
// The sectors of a page that bytes [from, from + count) touch, as bits.
std::uint8_t sector_bits(std::size_t from, std::size_t count) {
  std::size_t first = from >> block::sector_shift, last = (from + count - 1) >> block::sector_shift;
  return static_cast<std::uint8_t>(((2u << last) - 1) & ~((1u << first) - 1));
}
}  // namespace

void ByteCache::mark_dirty_locked(Block& block, std::size_t from, std::size_t count) {
  std::size_t unit = volume_.disk().limits().logical_block;
  std::size_t first = from & ~(unit - 1), end = (from + count + unit - 1) & ~(unit - 1);
  bool was_dirty = block.dirty != 0;
  block.dirty |= sector_bits(first, end - first);
  if (was_dirty) return;
  if (dirty_count_.fetch_add(1) == 0) periodic_.post_after(core::WorkQueue::long_running(), write_after_ns);
}

void ByteCache::forget(std::uint64_t offset, std::uint64_t length) {
  MutexGuard guard{mutex_};
  while (length) {
    std::size_t within = offset & (page_size - 1);
    std::size_t count = page_size - within < length ? page_size - within : static_cast<std::size_t>(length);
    if (Block* block = blocks_.find(offset >> page_shift); block && block->dirty) {
      block->dirty &= static_cast<std::uint8_t>(~sector_bits(within, count));
      if (!block->dirty) dirty_count_.fetch_sub(1);
    }
    offset += count;
    length -= count;
  }
}

Result<void> ByteCache::write(std::uint64_t offset, std::span<const std::byte> in) {
  TRY(check(offset, in.size()));
  MutexGuard guard{mutex_};
  while (!in.empty()) {
    Block* block = TRY(block_locked(offset >> page_shift));
    std::size_t within = offset & (page_size - 1);
    std::size_t count = page_size - within < in.size() ? page_size - within : in.size();
    std::memcpy(block->page.data() + within, in.data(), count);
    mark_dirty_locked(*block, within, count);
    in = in.subspan(count);
    offset += count;
  }
  return {};
}

Result<void> ByteCache::fill_zero(std::uint64_t offset, std::uint64_t length) {
  static constexpr std::byte zeroes[512] = {};
  while (length) {
    std::size_t count = length < sizeof(zeroes) ? static_cast<std::size_t>(length) : sizeof(zeroes);
    TRY(write(offset, std::span(zeroes).first(count)));
    offset += count;
    length -= count;
  }
  return {};
}

Result<void> ByteCache::write_back() {
  MutexGuard guard{mutex_};
  return write_back_locked();
}

// Sectors that follow each other on the disk.
struct ByteCache::Batch {
  static constexpr unsigned at_once = 32;
  block::Segment segments[at_once];
  Block* blocks[at_once];
  std::uint8_t bits[at_once];
  unsigned used = 0;
  std::uint64_t start = 0, next = 0;  // bytes
};

Result<void> ByteCache::write_batch_locked(Batch& batch) {
  unsigned used = batch.used;
  batch.used = 0;
  if (used == 0) return {};
  TRY(volume_.write(batch.start >> block::sector_shift, {batch.segments, used}, block::Durability::cached));
  for (unsigned i = 0; i < used; ++i) {
    Block& block = *batch.blocks[i];
    block.dirty &= static_cast<std::uint8_t>(~batch.bits[i]);
    if (!block.dirty) dirty_count_.fetch_sub(1);
  }
  return {};
}

Result<void> ByteCache::write_back_locked() {
  unsigned most = volume_.disk().limits().segments_max;
  std::uint64_t by_size = volume_.disk().limits().request_bytes_max / page_size;
  if (most > by_size) most = static_cast<unsigned>(by_size);
  if (most > Batch::at_once) most = Batch::at_once;
  Result<void> result;
  auto note = [&](Result<void> one) {
    if (!one && result) result = one;
  };
  Batch batch;
  Block* block = dirty_count_.load() ? blocks_.lower_bound(0) : nullptr;
  for (; block; block = blocks_.upper_bound(block->index)) {
    std::uint8_t bits = block->dirty;
    std::uint32_t length = length_of(block->index);
    for (unsigned first = 0; first < 8 && bits >> first;) {
      if (!(bits >> first & 1)) {
        ++first;
        continue;
      }
      unsigned end = first;
      while (end < 8 && bits >> end & 1) ++end;
      std::uint32_t from = first << block::sector_shift, to = end << block::sector_shift;
      if (to > length) to = length;
      std::uint64_t place = (block->index << page_shift) + from;
      if (batch.used && (batch.next != place || batch.used >= most)) note(write_batch_locked(batch));
      if (batch.used == 0) batch.start = place;
      batch.segments[batch.used] = {block->page.get(), from, to - from};
      batch.blocks[batch.used] = block;
      batch.bits[batch.used] = static_cast<std::uint8_t>(((1u << end) - 1) & ~((1u << first) - 1));
      ++batch.used;
      batch.next = place + (to - from);
      first = end;
    }
  }
  note(write_batch_locked(batch));
  return result;
}

void ByteCache::periodic(core::Work& work) {
  auto* delayed = base::container_of(&work, &core::DelayedWork::work);
  ByteCache& self = *base::container_of(delayed, &ByteCache::periodic_);
  MutexGuard guard{self.mutex_};
  if (auto written = self.write_back_locked(); !written) {
    core::log(core::LogLevel::error, "{}: metadata could not be written, error {}", self.volume_.name(),
              written.error());
    self.periodic_.post_after(core::WorkQueue::long_running(), write_after_ns);
  }
}

// ---- Pages of files ----

PageMover::PageMover(block::Volume& volume, block::Operation operation, std::uint64_t first_page,
                     std::span<core::Page* const> pages)
    : volume_(volume), operation_(operation), first_page_(first_page), pages_(pages) {
  const block::DiskLimits& limits = volume.disk().limits();
  most_ = limits.segments_max < segments_at_once ? limits.segments_max : segments_at_once;
  if (most_ > limits.request_bytes_max / page_size)
    most_ = static_cast<unsigned>(limits.request_bytes_max / page_size);
  if (most_ == 0) most_ = 1;
}

Result<void> PageMover::add(std::uint64_t file_offset, std::uint64_t length, std::uint64_t volume_offset) {
  while (length) {
    auto place = static_cast<std::size_t>((file_offset >> page_shift) - first_page_);
    auto within = static_cast<std::uint32_t>(file_offset & (page_size - 1));
    std::uint64_t count = page_size - within < length ? page_size - within : length;
    if (used_ && (volume_offset != next_ || used_ == most_)) TRY(finish());
    if (used_ == 0) start_ = volume_offset;
    segments_[used_++] = {pages_[place], within, static_cast<std::uint32_t>(count)};
    next_ = volume_offset + count;
    file_offset += count;
    volume_offset += count;
    length -= count;
  }
  return {};
}

Result<void> PageMover::finish() {
  if (!used_) return {};
  std::span<const block::Segment> list{segments_, used_};
  used_ = 0;
  std::uint64_t sector = start_ >> block::sector_shift;
  return operation_ == block::Operation::read ? volume_.read(sector, list)
                                              : volume_.write(sector, list, block::Durability::cached);
}

Result<void> read_directly(block::Volume& volume, std::uint64_t offset, std::span<std::byte> out) {
  constexpr std::size_t at_once = 32;
  std::uint64_t bytes = volume.bytes();
  if (offset > bytes || out.size() > bytes - offset) return error(Errno::euclean);
  core::PageRef memory[at_once];
  core::Page* pages[at_once];
  for (std::size_t i = 0; i < at_once && i * page_size < out.size() + page_size; ++i) {
    memory[i] = TRY(core::allocate_page());
    pages[i] = memory[i].get();
  }
  std::uint32_t block = volume.disk().limits().logical_block;
  while (!out.empty()) {
    std::uint64_t first = offset & ~std::uint64_t{block - 1};
    std::uint64_t end =
        offset + out.size() < first + at_once * page_size ? offset + out.size() : first + at_once * page_size;
    std::uint64_t rounded = (end + block - 1) & ~std::uint64_t{block - 1};
    PageMover mover(volume, block::Operation::read, 0, pages);
    TRY(mover.add(0, rounded - first, first));
    TRY(mover.finish());
    for (std::uint64_t at = offset; at < end;) {
      std::uint64_t place = at - first, within = place & (page_size - 1);
      auto count = static_cast<std::size_t>(page_size - within < end - at ? page_size - within : end - at);
      std::memcpy(out.data(), memory[place >> page_shift].data() + within, count);
      out = out.subspan(count);
      at += count;
    }
    offset = end;
  }
  return {};
}

}  // namespace byte_cache
