// Commits and checkpoints.
#include <cstring>

#include "block_writer.h"
#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "core/time/clock.h"
#include "crc32c.h"
#include "journal.h"

namespace ext4 {

using core::PageRef;

// Puts blocks one behind the other into the log.
struct Journal::LogWriter {
  LogWriter(Journal& the_journal, std::uint32_t start)
      : journal(the_journal), writer(*the_journal.writer_), at(start) {}
  Journal& journal;
  BlockWriter& writer;
  std::uint32_t at;
  std::uint32_t count = 0;

  Result<void> put(PageRef page) {
    TRY(writer.write(TRY(journal.physical(at)), std::move(page)));
    at = journal.next(at);
    ++count;
    return {};
  }
  Result<PageRef> control_block(JournalBlockType type, std::uint32_t id) {
    PageRef page = TRY(core::allocate_page(core::AllocationFlags::zero));
    auto* header = page.data<JournalHeader>();
    header->magic = journal_magic;
    header->type = type;
    header->sequence = id;
    return page;
  }
  // The checksum in the last four bytes of descriptors and revoke blocks.
  void seal(PageRef& page) {
    if (!journal.has_checksums()) return;
    auto* tail = core::data_of<Be32>(*page) + (journal.block_size_ / 4 - 1);
    *tail = 0;
    *tail = crc32c(journal.seed_, {page.data(), journal.block_size_});
  }
};

std::uint32_t Journal::free_log_blocks() const NO_THREAD_SAFETY_ANALYSIS {
  std::uint32_t all = blocks_ - first_;
  return all - used_;
}

// Takes the running transaction away from the handles, with its blocks copied.
Result<void> Journal::lock_running(Transaction& taken, bool& any) {
  core::MutexGuard guard{mutex_};
  any = transaction_.has_begun;
  if (!any) return {};
  locking_ = true;
  TRY(changed_.wait(guard, core::WaitMode::uninterruptible,
                    [&]() NO_THREAD_SAFETY_ANALYSIS { return transaction_.handles == 0; }));
  if (is_aborted()) {
    // One of the handles left something half done.
    locking_ = false;
    return error(Errno::erofs);
  }
  Result<void> result;
  {
    core::MutexUnguard open{guard};
    result = listener_.before_commit();
  }
  if (result) {
    for (BufferRef& buffer : transaction_.buffers) {
      std::memcpy(buffer->copy_.data(), buffer->bytes(), block_size_);
      // From here on the block can join the next transaction, which takes room of its own.
      buffer->committing_ = std::move(buffer->copy_);
      buffer->copy_ = {};
      buffer->is_joined_ = false;
    }
    taken = std::move(transaction_);
    transaction_ = {};
    transaction_.id = taken.id + 1;
  }
  locking_ = false;
  return result;
}

Result<void> Journal::make_room(std::uint32_t needed) {
  if (free_log_blocks() > needed) return {};
  TRY(checkpoint_locked());
  return free_log_blocks() > needed ? Result<void>() : Result<void>(error(Errno::enospc));
}

Result<void> Journal::write_transaction(Transaction& transaction) {
  const std::uint32_t tag_bytes = tag_size(), tail_bytes = has_checksums() ? 4 : 0;
  const std::uint32_t tags_per_block = (block_size_ - sizeof(JournalHeader) - 16 - tail_bytes) / tag_bytes;
  const std::uint32_t revoke_bytes = features_ & journal_feature::bits64 ? 8 : 4;
  const std::uint32_t revokes_per_block = (block_size_ - sizeof(JournalRevoke) - tail_bytes) / revoke_bytes;
  auto blocks = static_cast<std::uint32_t>(transaction.buffers.size());
  auto revokes = static_cast<std::uint32_t>(transaction.revoked.size());
  std::uint32_t needed =
      blocks + blocks / tags_per_block + revokes / revokes_per_block + 4;  // + rounding and the commit block
  TRY(make_room(needed));
  bool log_was_empty = used_ == 0;
  if (revokes && !(features_ & journal_feature::revoke)) {
    features_ |= journal_feature::revoke;
    TRY(write_super(block::Durability::stable));
  }
  if (log_was_empty) {
    // The super block says where recovery begins before there is something to recover.
    super_start_ = head_;
    super_sequence_ = transaction.id;
    TRY(write_super(block::Durability::stable));
  }
  LogWriter log(*this, head_);
  for (std::uint32_t done = 0; done < revokes;) {
    PageRef page = TRY(log.control_block(journal_revoke, transaction.id));
    std::uint32_t here = revokes - done < revokes_per_block ? revokes - done : revokes_per_block;
    page.data<JournalRevoke>()->bytes =
        static_cast<std::uint32_t>(sizeof(JournalRevoke)) + here * revoke_bytes;
    for (std::uint32_t i = 0; i < here; ++i) {
      std::byte* at = page.data() + sizeof(JournalRevoke) + i * revoke_bytes;
      std::uint64_t block = transaction.revoked[done + i];
      if (revoke_bytes == 8) {
        block = std::byteswap(block);
        std::memcpy(at, &block, 8);
      } else {
        std::uint32_t low = std::byteswap(static_cast<std::uint32_t>(block));
        std::memcpy(at, &low, 4);
      }
    }
    log.seal(page);
    TRY(log.put(std::move(page)));
    done += here;
  }
  for (std::uint32_t done = 0; done < blocks;) {
    PageRef descriptor = TRY(log.control_block(journal_descriptor, transaction.id));
    std::uint32_t here = blocks - done < tags_per_block ? blocks - done : tags_per_block;
    std::byte* at = descriptor.data() + sizeof(JournalHeader);
    base::Vector<PageRef> data;
    TRY(data.try_reserve(here));
    for (std::uint32_t i = 0; i < here; ++i) {
      Buffer& buffer = *transaction.buffers[done + i];
      PageRef page = buffer.committing_.clone();
      std::uint32_t flags = (i ? tag_same_uuid : 0) | (i + 1 == here ? tag_last : 0);
      if (*core::data_of<Be32>(*page) == journal_magic) {
        // A block that looks like one of the log's own loses its first word there.
        PageRef escaped = TRY(core::allocate_page());
        std::memcpy(escaped.data(), page.data(), block_size_);
        std::memset(escaped.data(), 0, 4);
        page = std::move(escaped);
        flags |= tag_escaped;
      }
      std::uint32_t checksum = 0;
      if (has_checksums()) {
        Be32 sequence;
        sequence = transaction.id;
        checksum = crc32c(crc32c_of(seed_, sequence), {page.data(), block_size_});
      }
      if (features_ & journal_feature::checksum_v3) {
        auto* tag = static_cast<JournalTag3*>(static_cast<void*>(at));  // within the block: tags_per_block
        tag->block_low = static_cast<std::uint32_t>(buffer.block_);
        tag->block_high = static_cast<std::uint32_t>(buffer.block_ >> 32);
        tag->flags = flags;
        tag->checksum = checksum;
      } else {
        JournalTag tag{};
        tag.block_low = static_cast<std::uint32_t>(buffer.block_);
        tag.flags = static_cast<std::uint16_t>(flags);
        tag.checksum = static_cast<std::uint16_t>(checksum);
        if (features_ & journal_feature::bits64)
          tag.block_high = static_cast<std::uint32_t>(buffer.block_ >> 32);
        std::memcpy(at, &tag, tag_bytes < sizeof(tag) ? tag_bytes : sizeof(tag));
      }
      at += tag_bytes;
      if (i == 0) {
        std::memcpy(at, uuid_, sizeof(uuid_));
        at += sizeof(uuid_);
      }
      data.push_back_reserved(std::move(page));
    }
    log.seal(descriptor);
    TRY(log.put(std::move(descriptor)));
    for (PageRef& page : data) TRY(log.put(std::move(page)));
    done += here;
  }
  TRY(log.writer.finish());
  // Everything, also the contents of files, is stable before the block that makes it count.
  TRY(buffers_.volume().flush());
  PageRef page = TRY(log.control_block(journal_commit, transaction.id));
  auto* commit = page.data<JournalCommit>();
  std::uint64_t now = core::realtime_ns();
  commit->seconds = now / core::ns_per_second;
  commit->nanoseconds = static_cast<std::uint32_t>(now % core::ns_per_second);
  if (has_checksums()) commit->checksum[0] = crc32c(seed_, {page.data(), block_size_});
  TRY(buffers_.write(TRY(physical(log.at)), page, block::Durability::stable));
  head_ = next(log.at);
  used_ += log.count + 1;
  return {};
}

// The copies become what goes home, the freed blocks are free.
void Journal::committed(Transaction& transaction) {
  {
    core::MutexGuard guard{mutex_};
    for (std::uint64_t block : transaction.revoked) {
      // An older copy of a block that is no metadata any more must not come home over its new content.
      BufferRef buffer = buffers_.find(block);
      if (!buffer || !buffer->committed_) continue;
      buffer->committed_ = {};
      to_checkpoint_.remove(*buffer);
      buffer->release_reference();
    }
    for (BufferRef& buffer : transaction.buffers) {
      bool is_listed = static_cast<bool>(buffer->committed_);
      buffer->committed_ = std::move(buffer->committing_);
      buffer->committing_ = {};
      if (is_listed) continue;
      to_checkpoint_.push_back(*buffer);
      buffer->acquire_reference();
    }
  }
  committed_.store(transaction.id, std::memory_order_release);
  listener_.after_commit(transaction.id);
}

Result<void> Journal::commit_one() {
  Transaction transaction;
  bool any = false;
  auto result = lock_running(transaction, any);
  changed_.wake_all();
  if (!result || !any) return result;
  result = write_transaction(transaction);
  if (!result) return result;
  committed(transaction);
  if (used_ > (blocks_ - first_) / 2) return checkpoint_locked();
  return {};
}

Result<void> Journal::commit_running() {
  if (is_aborted()) return error(Errno::erofs);
  core::MutexGuard guard{commit_mutex_};
  if (is_aborted()) return error(Errno::erofs);
  auto result = commit_one();
  if (!result) abort(result.error());
  return result;
}

Result<void> Journal::commit(std::uint32_t transaction) {
  if (transaction == 0) return {};
  if (is_aborted()) return error(Errno::erofs);
  core::MutexGuard guard{commit_mutex_};
  if (is_aborted()) return error(Errno::erofs);
  // Somebody else has committed it while we waited, perhaps with a flush from before the caller's last write.
  if (is_committed(transaction)) return buffers_.volume().flush();
  auto result = commit_one();
  if (!result) abort(result.error());
  return result;
}

// ---- Checkpoint ----

Result<void> Journal::checkpoint() {
  if (is_aborted()) return error(Errno::erofs);
  core::MutexGuard guard{commit_mutex_};
  auto result = checkpoint_locked();
  if (!result) abort(result.error());
  return result;
}

Result<void> Journal::checkpoint_locked() {
  if (used_ == 0) return {};
  BlockWriter& writer = *writer_;
  for (;;) {
    PageRef page;
    BufferRef buffer;
    {
      core::MutexGuard guard{mutex_};
      Buffer* first = to_checkpoint_.pop_front();
      if (!first) break;
      buffer = BufferRef::adopt(first);  // the list's reference
      page = std::move(first->committed_);
      first->committed_ = {};
    }
    std::uint64_t home = buffer->block_;
    TRY(writer.write(home, std::move(page), std::move(buffer)));
  }
  TRY(writer.finish());
  TRY(buffers_.volume().flush());
  super_start_ = 0;
  super_sequence_ = committed_.load(std::memory_order_acquire) + 1;
  used_ = 0;
  return write_super(block::Durability::stable);
}

}  // namespace ext4
