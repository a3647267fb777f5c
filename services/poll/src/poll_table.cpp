#include "poll/poll_table.h"

#include <arch/cpu.h>

#include <new>

#include "core/sync/blocking.h"

namespace poll {

using base::Errno;
using base::error;
using base::Result;

PollTable::PollTable() : thread_(arch::current_thread()) {}

PollTable::~PollTable() {
  for (std::size_t i = 0; i < inline_used_; ++i) inline_[i].queue->remove(inline_[i]);
  while (chunks_) {
    for (std::size_t i = 0; i < chunks_->used; ++i) chunks_->entries[i].queue->remove(chunks_->entries[i]);
    chunks_ = std::move(chunks_->next);
  }
}

bool PollTable::Entry::woken(std::uint64_t key) {
  if (key && !(key & interest)) return false;
  table->triggered_.store(true);
  core::wake(*table->thread_);
  return true;
}

void PollTable::watch(core::WaitQueue& queue) {
  if (!registering_ || out_of_memory_) return;
  Entry* entry;
  if (inline_used_ < inline_entries) {
    entry = &inline_[inline_used_++];
  } else {
    if (!chunks_ || chunks_->used == chunk_entries) {
      auto chunk = std::unique_ptr<Chunk>(new (std::nothrow) Chunk);
      if (!chunk) {
        out_of_memory_ = true;
        return;
      }
      chunk->next = std::move(chunks_);
      chunks_ = std::move(chunk);
    }
    entry = &chunks_->entries[chunks_->used++];
  }
  entry->table = this;
  entry->file = base::RefPtr<vfs::File>(asked_);
  entry->queue = &queue;
  entry->interest = interest;
  queue.add(*entry);
}

Result<void> PollTable::wait(core::Deadline deadline) {
  if (out_of_memory_) return error(Errno::enomem);
  core::sleep_begin(core::WaitMode::interruptible);
  if (triggered_.load()) {
    core::sleep_cancel();
    return {};
  }
  switch (core::sleep_commit(deadline)) {
    case core::SleepResult::woken:
      return {};
    case core::SleepResult::timed_out:
      return error(Errno::etimedout);
    case core::SleepResult::interrupted:
      return error(Errno::eintr);
  }
  return {};
}

}  // namespace poll
