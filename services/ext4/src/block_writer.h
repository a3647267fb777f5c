// Writes of many single blocks that are waited for together: a commit's into the log, a checkpoint's home.
//
//   TRY(writer.write(block, page));     // any number; every so many are submitted and waited for
//   TRY(writer.finish());               // the rest, and the first error
//
// It is large and belongs to the journal, which uses it under its commit mutex: no room on a kernel stack.
#pragma once

#include "base/vector.h"
#include "block/volume.h"
#include "buffer_cache.h"
#include "core/sync/completion.h"

namespace ext4 {

class BlockWriter {
 public:
  static constexpr unsigned at_once = 64;
  explicit BlockWriter(BufferCache& buffers) : buffers_(buffers) {}
  BlockWriter(const BlockWriter&) = delete;
  ~BlockWriter() { (void)!finish(); }

  // Keeps the page (and the buffer) until finish().
  Result<void> write(std::uint64_t block, core::PageRef page, BufferRef buffer = {}) {
    if (used_ == at_once) TRY(finish());
    Slot& slot = slots_[used_++];
    slot.page = std::move(page);
    slot.buffer = std::move(buffer);
    slot.segment = {slot.page.get(), 0, buffers_.block_size()};
    slot.bio.operation = block::Operation::write;
    slot.bio.sector = buffers_.sector_of(block);
    slot.bio.set_segments({&slot.segment, 1});
    slot.bio.owner = this;
    slot.bio.completed = [](block::Bio& bio) { static_cast<BlockWriter*>(bio.owner)->done_.complete(); };
    return {};
  }

  // Submits and waits; the first error.
  Result<void> finish() {
    {
      block::Batch batch(buffers_.volume().disk());
      for (unsigned i = 0; i < used_; ++i) buffers_.volume().submit(slots_[i].bio, &batch);
    }
    for (unsigned i = 0; i < used_; ++i) done_.wait();
    Result<void> result;
    for (unsigned i = 0; i < used_; ++i) {
      if (slots_[i].bio.failed() && result) result = error(slots_[i].bio.status);
      slots_[i].page = {};
      slots_[i].buffer = {};
    }
    used_ = 0;
    return result;
  }

 private:
  struct Slot {
    block::Bio bio;
    block::Segment segment;
    core::PageRef page;
    BufferRef buffer;  // not read again from the disk before it is there
  };
  BufferCache& buffers_;
  core::Completion done_;
  Slot slots_[at_once];
  unsigned used_ = 0;
};

}  // namespace ext4
