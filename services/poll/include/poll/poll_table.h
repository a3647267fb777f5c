// Waiting for one of many files: the machinery of poll(2) and select(2).
//
//   PollTable table;
//   for (;;) {
//     table.rearm();                                        // before looking
//     for (each file) ready += matches(table.ask(file, interest));
//     table.registered();                                   // the first round has put us on all queues
//     if (ready || deadline.is_over()) break;
//     TRY(table.wait(deadline));
//   }
//
// Used by one thread, on its stack. Entries for eight queues lie inside; more are allocated in chunks. If an
// allocation fails the table remembers it and wait() returns ENOMEM. A file on whose queue we are is kept
// until the table goes; the caller needs it only while it asks.
#pragma once

#include <atomic>
#include <memory>

#include "base/result.h"
#include "base/vector.h"
#include "core/sync/wait_queue.h"
#include "vfs/file.h"
#include "vfs/poll.h"

namespace poll {

class PollTable final : public vfs::PollWaiter {
 public:
  PollTable();
  ~PollTable();

  // What is true of a file now. In the first round it is also watched for `events`; errors and hang-ups
  // always matter.
  vfs::PollEvents ask(vfs::File& file, vfs::PollEvents events) {
    if (!registering_) return file.poll(nullptr);
    interest = events | vfs::poll_error | vfs::poll_hang_up;
    asked_ = &file;
    return file.poll(this);
  }
  void registered() { registering_ = false; }
  void watch(core::WaitQueue& queue) override;

  void rearm() { triggered_.store(false); }
  // Until a watched queue is woken with an event that matters. EINTR, ETIMEDOUT, ENOMEM.
  base::Result<void> wait(core::Deadline deadline);

 private:
  class Entry final : public core::WaitEntry {
   public:
    bool woken(std::uint64_t key) override;
    PollTable* table = nullptr;
    base::RefPtr<vfs::File> file;
    core::WaitQueue* queue = nullptr;
    vfs::PollEvents interest = 0;
  };
  static constexpr std::size_t inline_entries = 8, chunk_entries = 40;
  struct Chunk {
    std::unique_ptr<Chunk> next;
    std::size_t used = 0;
    Entry entries[chunk_entries];
  };

  core::Thread* const thread_;
  std::atomic<bool> triggered_{false};
  bool registering_ = true;
  bool out_of_memory_ = false;
  vfs::File* asked_ = nullptr;
  std::size_t inline_used_ = 0;
  Entry inline_[inline_entries];
  std::unique_ptr<Chunk> chunks_;
};

}  // namespace poll
