// Transactions over metadata blocks: jbd2.
//
//   Handle handle;                                     // one operation on the file system
//   TRY(handle.start(journal, credits));               // at most so many blocks will be changed
//   TRY(handle.access(buffer));                        // before a buffer is changed; then change it
//   handle.forget(block);                              // a metadata block was freed
//   (end of scope)                                     // the operation is complete: all of it or nothing is
//   found
//                                                      // after a crash
//   TRY(journal.commit(handle.transaction()));         // and from now on it is there
//
// Operations that are under way together form the running transaction. Its commit
//   1. lets no new handle in, waits for those that are open, and copies every changed block (this is the only
//   time
//      operations wait, and nothing is written meanwhile);
//   2. writes the copies into the log, then a flush, then the commit block with force-unit-access;
//   3. leaves the copies with their buffers. A checkpoint writes the newest committed copy of each block home
//   when the
//      log is half full, at unmount, and before anything else needs the log empty.
//
// Contents of files that a transaction makes reachable are written by their owner while his handle is open,
// so that they are covered by the flush of step 2 (ordered mode).
//
// Freed blocks must not be used again before the commit: on_commit() functions give them back (see
// BlockAllocator).
//
// After an error in the log nothing can be promised any more: the journal is aborted, everything returns
// EROFS.
//
// Locking: handles come after vfs inode locks and page-cache locks, before map_lock and the allocators'
// mutex. A thread has one handle at a time and does not drop the last reference on an inode while it has it.
// commit_mutex_ is taken without a handle.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/vector.h"
#include "buffer_cache.h"
#include "core/sched/work_queue.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "format.h"

namespace ext4 {

// Where the log lies on the volume.
struct LogExtent {
  std::uint32_t logical;
  std::uint32_t length;
  std::uint64_t physical;
};

// What wants to know of commits.
class CommitListener {
 public:
  // All handles are closed: last changes of the transaction (free counts of the super block).
  virtual Result<void> before_commit() = 0;
  // Blocks freed in the transaction are free now.
  virtual void after_commit(std::uint32_t transaction) = 0;
  virtual void journal_failed(Errno code) = 0;

 protected:
  ~CommitListener() = default;
};

class BlockWriter;

class Journal {
 public:
  Journal(BufferCache& buffers, CommitListener& listener);
  ~Journal();

  // Reads the journal's super block. EUCLEAN, EINVAL (features).
  Result<void> open(base::Vector<LogExtent> extents, const std::uint8_t (&uuid)[16], bool bits64,
                    bool checksums);
  bool needs_recovery() const { return super_start_ != 0; }
  // Replays what was committed. Returns how many transactions.
  Result<std::uint32_t> recover();
  // An empty log, features set: ready for handles. `interval_ns`: how old a transaction gets.
  Result<void> begin(std::uint64_t interval_ns);
  // Everything is committed and at home, the log is empty and says so.
  Result<void> close();

  // Makes sure that the transaction is on the disk, and everything that was written before the call. 0:
  // nothing to do.
  Result<void> commit(std::uint32_t transaction);
  Result<void> commit_running();
  // Everything that is committed goes home; the log is empty afterwards.
  Result<void> checkpoint();
  // For CommitListener::before_commit().
  Result<void> access_in_commit(Buffer& buffer) { return access(buffer); }
  std::uint32_t running() const;
  bool is_committed(std::uint32_t transaction) const;
  bool is_aborted() const { return aborted_.load(std::memory_order_acquire) != 0; }
  void abort(Errno code);
  // For a thread with an open handle, whose transaction must not commit: nothing of it reaches the disk.
  void abort_running(Errno code);
  unsigned credits_max() const { return credits_max_; }

 private:
  friend class Handle;
  friend class Indivisible;
  struct Transaction {
    std::uint32_t id = 0;
    unsigned handles = 0;
    unsigned credits =
        0;  // of those handles: what they may still change; what they did change is in `buffers`
    bool has_begun = false;
    base::Vector<BufferRef> buffers;
    base::Vector<std::uint64_t> revoked;
  };
  struct Revoked {
    std::uint64_t block;
    std::uint32_t sequence;
  };
  enum class Pass { scan, revoke, replay };

  Result<std::uint64_t> physical(std::uint32_t log_block) const;
  Result<void> read_log(std::uint32_t log_block, core::Page& page);
  Result<void> write_super(block::Durability durability);
  void stamp_super();
  std::uint32_t next(std::uint32_t log_block) const {
    return log_block + 1 == blocks_ ? first_ : log_block + 1;
  }
  bool has_checksums() const {
    return features_ & (journal_feature::checksum_v2 | journal_feature::checksum_v3);
  }
  std::uint32_t tag_size() const;

  // ---- recovery.cpp ----
  struct Recovery;

  // ---- commit.cpp ----
  struct LogWriter;
  Result<void> commit_one() REQUIRES(commit_mutex_);
  Result<void> lock_running(Transaction& taken, bool& any) REQUIRES(commit_mutex_);
  Result<void> write_transaction(Transaction& transaction) REQUIRES(commit_mutex_);
  Result<void> checkpoint_locked() REQUIRES(commit_mutex_);
  Result<void> make_room(std::uint32_t needed) REQUIRES(commit_mutex_);
  std::uint32_t free_log_blocks() const;
  void committed(Transaction& transaction);

  // ---- For handles ----
  Result<std::uint32_t> join(unsigned credits);
  Result<void> extend(unsigned credits);
  void leave(unsigned credits);
  Result<void> access(Buffer& buffer);
  Result<void> forget(std::uint64_t block);

  BufferCache& buffers_;
  CommitListener& listener_;
  base::Vector<LogExtent> extents_;
  core::PageRef super_page_;
  std::uint8_t uuid_[16] = {};
  std::uint32_t seed_ = 0, features_ = 0;
  bool bits64_ = false, checksums_wanted_ = false;
  std::uint32_t block_size_ = 0, blocks_ = 0, first_ = 0;
  unsigned credits_max_ = 0;
  std::uint32_t super_start_ = 0, super_sequence_ = 0;
  std::uint64_t interval_ns_ = 0;
  std::atomic<int> aborted_{0};

  core::Mutex commit_mutex_{"journal commit"};
  std::unique_ptr<BlockWriter> writer_;               // between begin() and the end; under commit_mutex_
  std::uint32_t head_ GUARDED_BY(commit_mutex_) = 0;  // where the next transaction begins
  std::uint32_t used_ GUARDED_BY(commit_mutex_) = 0;  // log blocks since the tail

  mutable core::Mutex mutex_{"journal"};
  Transaction transaction_ GUARDED_BY(mutex_);
  bool locking_ GUARDED_BY(mutex_) = false;
  core::WaitQueue changed_;
  std::atomic<std::uint32_t> committed_{0};  // the last one
  base::IntrusiveList<Buffer, &Buffer::checkpoint_> to_checkpoint_ GUARDED_BY(mutex_);
  core::DelayedWork periodic_{[](core::Work& work) {
    auto* delayed = base::container_of(&work, &core::DelayedWork::work);
    (void)!base::container_of(delayed, &Journal::periodic_)->commit_running();  // recorded by the abort
  }};
  bool open_ = false;
};

class Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { stop(); }
  // EROFS: the journal is aborted.
  Result<void> start(Journal& journal, unsigned credits);
  void stop();
  // Another transaction if this one is getting full: everything so far must be consistent in itself.
  Result<void> restart(unsigned credits);
  Result<void> access(Buffer& buffer) { return journal_->access(buffer); }
  Result<void> access(const BufferRef& buffer) { return journal_->access(*buffer); }
  Result<void> forget(std::uint64_t block) { return journal_->forget(block); }
  std::uint32_t transaction() const { return transaction_; }
  bool is_started() const { return journal_; }

 private:
  friend class Indivisible;
  Journal* journal_ = nullptr;
  unsigned credits_ = 0;
  std::uint32_t transaction_ = 0;
};

// Changes that only make sense together. When a scope is left between the first and done(), because of an
// error in the middle, the journal is aborted: what is committed is whole, the transaction that is not is
// forgotten, and the file system is read-only from then on.
//
//   Indivisible change(handle);
//   TRY(…); TRY(…);
//   return change.done();
class Indivisible {
 public:
  explicit Indivisible(Handle& handle) : journal_(handle.journal_) {}
  Indivisible(const Indivisible&) = delete;
  ~Indivisible() {
    if (journal_) journal_->abort_running(Errno::eio);
  }
  Result<void> done() {
    journal_ = nullptr;
    return {};
  }

 private:
  Journal* journal_;
};

}  // namespace ext4
