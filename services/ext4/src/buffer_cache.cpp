#include "buffer_cache.h"

#include <cstring>

#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"

namespace ext4 {

void BufferCache::drop_unused() {
  core::MutexGuard guard{mutex_};
  while (Buffer* buffer = unused_.pop_front()) {
    buffers_.remove(*buffer);
    delete buffer;
  }
  unused_count_ = 0;
}

BufferCache::~BufferCache() {
  drop_unused();
  core::MutexGuard guard{mutex_};
  base::debug_verify(buffers_.empty(), "buffer cache destroyed with buffers in use");
}

BufferRef BufferCache::find(std::uint64_t block) {
  core::MutexGuard guard{mutex_};
  Buffer* buffer = buffers_.find(block);
  if (!buffer) return {};
  if (buffer->references_.fetch_add(1, std::memory_order_relaxed) == 0) {
    unused_.remove(*buffer);
    --unused_count_;
  }
  return BufferRef::adopt(buffer);
}

Result<BufferRef> BufferCache::get(std::uint64_t block) {
  if (block >= blocks_) return error(Errno::euclean);
  if (BufferRef existing = find(block)) return existing;
  auto fresh = TRY(base::try_make_unique<Buffer>());
  fresh->page_ = TRY(core::allocate_page(core::AllocationFlags::zero));
  fresh->cache_ = this;
  fresh->block_ = block;
  {
    core::MutexGuard guard{mutex_};
    if (!buffers_.find(block)) {
      buffers_.insert(*fresh);
      return BufferRef::adopt(fresh.release());
    }
  }
  return get(block);  // somebody was faster
}

Result<BufferRef> BufferCache::read(std::uint64_t block) {
  BufferRef buffer = TRY(get(block));
  // acquire: the content was there before the flag.
  if (buffer->up_to_date_.load(std::memory_order_acquire)) return buffer;
  core::MutexGuard guard{buffer->read_mutex_};
  if (buffer->up_to_date_.load(std::memory_order_acquire)) return buffer;
  block::Segment segment{buffer->page_.get(), 0, block_size_};
  TRY(volume_.read(sector_of(block), {&segment, 1}));
  buffer->up_to_date_.store(true, std::memory_order_release);
  return buffer;
}

Result<BufferRef> BufferCache::make(std::uint64_t block) {
  BufferRef buffer = TRY(get(block));
  core::MutexGuard guard{buffer->read_mutex_};
  std::memset(buffer->bytes(), 0, block_size_);
  buffer->verified.store(true, std::memory_order_relaxed);
  buffer->up_to_date_.store(true, std::memory_order_release);
  return buffer;
}

Result<void> BufferCache::write(std::uint64_t block, const core::PageRef& page,
                                block::Durability durability) {
  block::Segment segment{page.get(), 0, block_size_};
  return volume_.write(sector_of(block), {&segment, 1}, durability);
}

void Buffer::release_reference() {
  // Above one nobody but us can be the last.
  auto old = references_.load(std::memory_order_relaxed);
  while (old > 1)
    if (references_.compare_exchange_weak(old, old - 1, std::memory_order_release, std::memory_order_relaxed))
      return;
  cache_->released(*this);
}

void BufferCache::released(Buffer& buffer) {
  Buffer* dropped = nullptr;
  {
    core::MutexGuard guard{mutex_};
    if (buffer.references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    unused_.push_back(buffer);
    if (++unused_count_ > unused_max) {
      dropped = unused_.pop_front();
      --unused_count_;
      buffers_.remove(*dropped);
    }
  }
  delete dropped;
}

}  // namespace ext4
