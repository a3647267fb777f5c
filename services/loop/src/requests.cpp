// What the block layer asks for, done to the file.
#include "core/memory/io_buffer.h"
#include "loop.h"

namespace loop {

using block::Operation;

block::QueueResult Loop::queue(block::Request& request) {
  {
    core::MutexGuard guard{queue_lock_};
    waiting_[(first_ + count_) % depth] = &request;  // never more than the disk has
    ++count_;
  }
  threads_.post(work_);
  return block::QueueResult::taken;
}

void Loop::work() {
  for (;;) {
    block::Request* request;
    {
      core::MutexGuard guard{queue_lock_};
      if (count_ == 0) return;
      request = waiting_[first_];
      first_ = (first_ + 1) % depth;
      --count_;
    }
    request->complete(perform(*request));
  }
}

Errno Loop::perform(block::Request& request) {
  if (!file_) return Errno::eio;
  constexpr int keep_size = 1, punch_hole = 2;
  Result<void> result;
  switch (request.operation()) {
    case Operation::read:
    case Operation::write:
      result = transfer(request);
      break;
    case Operation::flush:
      result = file_->sync(0, ~std::uint64_t{0} >> 1, true);
      break;
    case Operation::discard:
    case Operation::write_zeroes:
      result = file_->allocate(punch_hole | keep_size, offset_ + (request.sector() << block::sector_shift),
                               request.length());
      break;
  }
  if (result) return Errno{0};
  Errno code = result.error();
  return code == Errno::enospc || code == Errno::eopnotsupp ? code : Errno::eio;
}

Result<void> Loop::transfer(block::Request& request) {
  std::uint64_t at = offset_ + (request.sector() << block::sector_shift);
  bool writes = request.operation() == Operation::write;
  if (writes && !file_->can_write()) return error(Errno::eio);
  Result<void> result;
  request.for_each_segment([&](const block::Segment& segment) {
    if (!result) return;
    std::span<std::byte> bytes{segment.data(), segment.length};
    auto buffer = core::IoBuffer::kernel(bytes);
    while (!buffer.empty()) {
      auto done =
          writes ? file_->write_at(buffer, at, vfs::io_none) : file_->read_at(buffer, at, vfs::io_none);
      if (!done) {
        result = error(done.error());
        return;
      }
      if (*done == 0) {
        // The file ends early (it was cut): zeroes.
        if (writes) result = error(Errno::eio);
        for (std::byte& byte : bytes.last(buffer.remaining())) byte = std::byte{};
        return;
      }
      at += *done;
    }
  });
  return result;
}

}  // namespace loop
