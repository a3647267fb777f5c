// Opening and closing the journal, handles.
#include "journal.h"

#include <algorithm>
#include <cstring>

#include "block_writer.h"
#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "crc32c.h"

namespace ext4 {

Journal::Journal(BufferCache& buffers, CommitListener& listener) : buffers_(buffers), listener_(listener) {}

Journal::~Journal() {
  base::verify(!open_, "a journal destroyed that was not closed");
  periodic_.cancel_and_wait();
}

// Blocks. Each is kept twice until the commit, and cannot leave memory.
static constexpr std::uint32_t largest_transaction = 2048;

// ---- The log on the volume ----

Result<std::uint64_t> Journal::physical(std::uint32_t log_block) const {
  for (const LogExtent& extent : extents_)
    if (log_block >= extent.logical && log_block - extent.logical < extent.length)
      return extent.physical + (log_block - extent.logical);
  return error(Errno::euclean);
}

Result<void> Journal::read_log(std::uint32_t log_block, core::Page& page) {
  block::Segment segment{&page, 0, block_size_};
  return buffers_.volume().read(buffers_.sector_of(TRY(physical(log_block))), {&segment, 1});
}

std::uint32_t Journal::tag_size() const {
  if (features_ & journal_feature::checksum_v3) return sizeof(JournalTag3);
  std::uint32_t size = sizeof(JournalTag);
  if (features_ & journal_feature::checksum_v2) size += 2;
  return features_ & journal_feature::bits64 ? size : size - 4;
}

void Journal::stamp_super() {
  auto* super = super_page_.data<JournalSuper>();
  super->sequence = super_sequence_;
  super->start = super_start_;
  super->incompatible = features_;
  if (!has_checksums()) return;
  super->checksum_type = 4;
  super->checksum = 0;
  super->checksum = crc32c_of(~0u, *super);
}

Result<void> Journal::write_super(block::Durability durability) {
  stamp_super();
  return buffers_.write(TRY(physical(0)), super_page_, durability);
}

Result<void> Journal::open(base::Vector<LogExtent> extents, const std::uint8_t (&uuid)[16], bool bits64,
                           bool checksums) {
  extents_ = std::move(extents);
  block_size_ = buffers_.block_size();
  bits64_ = bits64;
  checksums_wanted_ = checksums;
  super_page_ = TRY(core::allocate_page(core::AllocationFlags::zero));
  TRY(read_log(0, *super_page_));
  auto* super = super_page_.data<JournalSuper>();
  std::uint64_t log_blocks = 0;
  for (const LogExtent& extent : extents_) log_blocks += extent.length;
  if (super->header.magic != journal_magic || super->header.type != journal_super_v2 ||
      super->block_size != block_size_)
    return error(Errno::euclean);
  blocks_ = super->blocks;
  first_ = super->first;
  features_ = super->incompatible;
  super_start_ = super->start;
  super_sequence_ = super->sequence;
  if (features_ & ~journal_feature::known) {
    core::log(core::LogLevel::error, "ext4 ({}): the journal has unknown features {:#x}",
              buffers_.volume().name(), features_ & ~journal_feature::known);
    return error(Errno::einval);
  }
  if ((features_ & journal_feature::checksum_v2) && (features_ & journal_feature::checksum_v3))
    return error(Errno::euclean);
  if (has_checksums()) {
    std::uint32_t stored = super->checksum;
    super->checksum = 0;
    std::uint32_t computed = crc32c_of(~0u, *super);
    super->checksum = stored;
    if (stored != computed) return error(Errno::euclean);
  }
  std::memcpy(uuid_, super->uuid, sizeof(uuid_));
  (void)uuid;
  seed_ = crc32c_of(~0u, uuid_);
  if (first_ == 0 || blocks_ < first_ + 16 || blocks_ > log_blocks || super_start_ >= blocks_ ||
      (super_start_ && super_start_ < first_))
    return error(Errno::euclean);
  if (super->error)
    core::log(core::LogLevel::warning, "ext4 ({}): the journal was aborted before", buffers_.volume().name());
  credits_max_ = std::min((blocks_ - first_) / 4, largest_transaction);
  return {};
}

Result<void> Journal::begin(std::uint64_t interval_ns) {
  core::MutexGuard commit{commit_mutex_};
  interval_ns_ = interval_ns;
  if (!writer_) writer_ = TRY(base::try_make_unique<BlockWriter>(buffers_));
  if (bits64_) features_ |= journal_feature::bits64;
  if (checksums_wanted_) {
    features_ &= ~journal_feature::checksum_v2;
    features_ |= journal_feature::checksum_v3;
  }
  super_page_.data<JournalSuper>()->error = 0;
  super_start_ = 0;
  head_ = first_;
  used_ = 0;
  TRY(write_super(block::Durability::stable));
  core::MutexGuard guard{mutex_};
  transaction_.id = super_sequence_;
  committed_.store(super_sequence_ - 1, std::memory_order_release);
  open_ = true;
  return {};
}

Result<void> Journal::close() {
  if (!open_) return {};
  periodic_.cancel_and_wait();
  Result<void> result = commit_running();
  if (result) result = checkpoint();
  periodic_.cancel_and_wait();
  core::MutexGuard guard{mutex_};
  // After an abort the copies are dropped: the log still has what it has.
  while (Buffer* buffer = to_checkpoint_.pop_front()) {
    buffer->committed_ = {};
    buffer->release_reference();
  }
  for (BufferRef& buffer : transaction_.buffers) buffer->is_joined_ = false;
  transaction_.buffers.clear();
  open_ = false;
  return result;
}

void Journal::abort(Errno code) {
  int none = 0;
  if (!aborted_.compare_exchange_strong(none, static_cast<int>(code))) return;
  core::log(core::LogLevel::error, "ext4 ({}): the journal is aborted, error {}; nothing is written any more",
            buffers_.volume().name(), code);
  if (super_page_) {
    // For the next mount and e2fsck; if it cannot be written there is nobody left to tell.
    super_page_.data<JournalSuper>()->error = static_cast<std::uint32_t>(code);
    (void)!write_super(block::Durability::stable);
  }
  changed_.wake_all();
  listener_.journal_failed(code);
}

void Journal::abort_running(Errno code) {
  int none = 0;
  if (!aborted_.compare_exchange_strong(none, static_cast<int>(code))) return;
  core::log(core::LogLevel::error,
            "ext4 ({}): an operation failed halfway; the journal is aborted, the file system read-only",
            buffers_.volume().name());
  changed_.wake_all();
  listener_.journal_failed(code);
}

std::uint32_t Journal::running() const {
  core::MutexGuard guard{mutex_};
  return transaction_.id;
}

bool Journal::is_committed(std::uint32_t transaction) const {
  // Sequence numbers wrap around.
  return static_cast<std::int32_t>(committed_.load(std::memory_order_acquire) - transaction) >= 0;
}

// ---- Handles ----

Result<std::uint32_t> Journal::join(unsigned credits) {
  for (;;) {
    if (is_aborted()) return error(Errno::erofs);
    base::verify(credits <= credits_max_, "a handle that asks for more than a transaction holds");
    {
      core::MutexGuard guard{mutex_};
      TRY(changed_.wait(guard, core::WaitMode::uninterruptible,
                        [&]() NO_THREAD_SAFETY_ANALYSIS { return !locking_; }));
      // Of an operation that is over only what it changed counts, so that small ones share a transaction.
      // (Some 250 revoked blocks take one of the log, at the least.)
      std::size_t changed = transaction_.buffers.size() + transaction_.revoked.size() / 250;
      if (changed + transaction_.credits + credits <= credits_max_) {
        if (!std::exchange(transaction_.has_begun, true))
          periodic_.post_after(core::WorkQueue::long_running(), interval_ns_);
        transaction_.credits += credits;
        ++transaction_.handles;
        return transaction_.id;
      }
    }
    TRY(commit_running());
  }
}

void Journal::leave(unsigned credits) {
  bool wakes;
  {
    core::MutexGuard guard{mutex_};
    transaction_.credits -= credits;
    wakes = --transaction_.handles == 0 && locking_;
  }
  if (wakes) changed_.wake_all();
}

Result<void> Journal::access(Buffer& buffer) {
  if (is_aborted()) return error(Errno::erofs);
  core::MutexGuard guard{mutex_};
  if (buffer.is_joined_) return {};
  if (!buffer.copy_) {
    buffer.copy_ = TRY(core::allocate_page());
  }
  buffer.place_ = static_cast<std::uint32_t>(transaction_.buffers.size());
  TRY(transaction_.buffers.try_push_back(BufferRef(&buffer)));
  buffer.is_joined_ = true;
  buffer.joined_ = transaction_.id;
  if (buffer.revoked_in_ != transaction_.id) return {};
  // A block that was freed and is metadata again in the same transaction is to be replayed. (Rare: freed
  // blocks are given out after the commit, unless the disk is damaged.)
  buffer.revoked_in_ = 0;
  for (std::size_t i = 0; i < transaction_.revoked.size(); ++i) {
    if (transaction_.revoked[i] != buffer.block_) continue;
    transaction_.revoked[i] = transaction_.revoked.back();
    transaction_.revoked.pop_back();
    break;
  }
  return {};
}

Result<void> Journal::forget(std::uint64_t block) {
  if (is_aborted()) return error(Errno::erofs);
  BufferRef buffer = buffers_.find(block);
  core::MutexGuard guard{mutex_};
  TRY(transaction_.revoked.try_push_back(block));
  if (buffer) buffer->revoked_in_ = transaction_.id;
  if (!buffer || !buffer->is_joined_) return {};
  buffer->is_joined_ = false;
  BufferRef& last = transaction_.buffers.back();
  last->place_ = buffer->place_;
  std::swap(transaction_.buffers[buffer->place_], last);
  transaction_.buffers.pop_back();
  return {};
}

Result<void> Handle::start(Journal& journal, unsigned credits) {
  base::verify(!journal_, "a second start of a handle");
  transaction_ = TRY(journal.join(credits));
  credits_ = credits;
  journal_ = &journal;
  return {};
}

void Handle::stop() {
  if (Journal* journal = std::exchange(journal_, nullptr)) journal->leave(credits_);
}

Result<void> Handle::restart(unsigned credits) {
  Journal* journal = journal_;
  stop();
  return start(*journal, credits);
}

}  // namespace ext4
