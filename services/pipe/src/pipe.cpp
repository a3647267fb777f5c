#include "pipe/pipe.h"

#include <algorithm>

#include "core/memory/page_allocator.h"
#include "vfs/operations.h"

namespace pipe {

using base::Errno;
using base::error;
using core::IoBuffer;
using core::MutexGuard;
using core::page_size;
using core::WaitMode;

Result<RefPtr<Pipe>> Pipe::create(Kind kind) {
  auto pipe = TRY(base::try_make_ref<Pipe>(kind));
  MutexGuard guard{pipe->lock_};
  TRY(pipe->ring_.try_resize(default_capacity_pages));
  guard.unlock();
  return pipe;
}

void Pipe::drop_first_locked() {
  Piece& first = at_locked(tail_++);
  if (first.owned && !spare_ && first.page->reference_count() == 1) spare_ = std::move(first.page);
  first = Piece{};
}

// ---- Reading ----

Result<void> Pipe::wait_readable_locked(MutexGuard& guard, bool non_blocking) {
  auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS {
    return !transferring_ && (!empty_locked() || writer_count_ == 0);
  };
  if (ready()) return {};
  if (non_blocking) return error(Errno::eagain);
  return readers_.wait(guard, WaitMode::interruptible, ready);
}

Result<std::size_t> Pipe::read(IoBuffer& buffer, bool non_blocking) {
  if (buffer.empty()) return 0;
  std::size_t total = 0;
  bool still_readable;
  {
    MutexGuard guard{lock_};
    TRY(wait_readable_locked(guard, non_blocking));
    bool was_full = full_locked();
    while (!empty_locked() && !buffer.empty()) {
      Piece& first = at_locked(tail_);
      std::size_t wanted = std::min<std::size_t>(first.length, buffer.remaining());
      std::size_t done = buffer.copy_out({first.page.data() + first.offset, wanted});
      total += done;
      first.offset += static_cast<std::uint32_t>(done);
      first.length -= static_cast<std::uint32_t>(done);
      bool packet_read = first.packet && done == wanted;  // what a reader has no room for of a packet is lost
      if (first.length == 0 || packet_read) drop_first_locked();
      if (packet_read || done < wanted) break;
    }
    if (total == 0 && buffer.faulted()) return error(Errno::efault);
    still_readable = !empty_locked();
    if (!was_full && !writers_.has_waiters()) return total;
  }
  if (still_readable) readers_.wake_one(vfs::poll_readable);
  writers_.wake_one(vfs::poll_writable);
  return total;
}

// ---- Writing ----

// Continues the last piece, as far as its page goes.
std::size_t Pipe::append_locked(IoBuffer& buffer) {
  if (empty_locked()) return 0;
  Piece& last = at_locked(head_ - 1);
  std::size_t end = last.offset + last.length;
  if (!last.owned || last.packet || end >= page_size || last.page->reference_count() != 1) return 0;
  std::size_t count = std::min<std::size_t>(page_size - end, buffer.remaining());
  std::size_t done = buffer.copy_in({last.page.data() + end, count});
  last.length += static_cast<std::uint32_t>(done);
  return done;
}

Result<std::size_t> Pipe::add_page_locked(IoBuffer& buffer, Mode mode) {
  core::PageRef page = std::move(spare_);
  if (!page) page = TRY(core::allocate_page(core::AllocationFlags::user));
  std::size_t wanted = std::min<std::size_t>(page_size, buffer.remaining());
  std::size_t done = buffer.copy_in({page.data(), wanted});
  if (done == 0) {
    spare_ = std::move(page);
    return error(Errno::efault);
  }
  at_locked(head_++) =
      Piece{std::move(page), 0, static_cast<std::uint32_t>(done), mode == Mode::packets, true};
  return done;
}

bool Pipe::fits_in_last_locked(std::size_t size) {
  Piece& last = at_locked(head_ - 1);
  return last.owned && !last.packet && last.page->reference_count() == 1 &&
         last.offset + last.length + size <= page_size;
}

// A write of at most PIPE_BUF bytes goes in whole or not at all: it continues the last page only if it fits
// there, and else takes a page of its own.
Result<std::size_t> Pipe::write(IoBuffer& buffer, bool non_blocking, Mode mode) {
  if (buffer.empty()) return 0;
  std::size_t total = 0;
  bool still_writable;
  {
    MutexGuard guard{lock_};
    while (!buffer.empty()) {
      if (reader_count_ == 0) return total ? Result<std::size_t>(total) : error(Errno::epipe);
      bool atomic = buffer.remaining() <= atomic_write_size && total == 0;
      if (mode == Mode::stream && (!atomic || (!empty_locked() && fits_in_last_locked(buffer.remaining()))))
        total += append_locked(buffer);
      if (buffer.empty() || buffer.faulted()) break;
      if (!full_locked()) {
        auto added = add_page_locked(buffer, mode);
        if (!added) return total ? Result<std::size_t>(total) : error(added.error());
        total += *added;
        if (buffer.faulted()) break;
        continue;
      }
      if (non_blocking) return total ? Result<std::size_t>(total) : error(Errno::eagain);
      readers_.wake_one(vfs::poll_readable);
      auto waited = writers_.wait(guard, WaitMode::interruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
        return !full_locked() || reader_count_ == 0;
      });
      if (!waited) return total ? Result<std::size_t>(total) : error(waited.error());
    }
    still_writable = !full_locked();
  }
  if (total == 0) return error(Errno::efault);
  if (readers_.has_waiters()) readers_.wake_one(vfs::poll_readable);
  if (still_writable && writers_.has_waiters()) writers_.wake_one(vfs::poll_writable);
  return total;
}

// ---- State ----

vfs::PollEvents Pipe::state() {
  MutexGuard guard{lock_};
  vfs::PollEvents events = 0;
  if (!empty_locked()) events |= vfs::poll_readable;
  if (!full_locked()) events |= vfs::poll_writable;
  if (writer_count_ == 0) events |= vfs::poll_hang_up;
  if (reader_count_ == 0) events |= vfs::poll_error;
  return events;
}

std::size_t Pipe::available() {
  MutexGuard guard{lock_};
  std::size_t total = 0;
  for (std::uint32_t i = tail_; i != head_; ++i) total += at_locked(i).length;
  return total;
}

void Pipe::add_ends(bool reader, bool writer) {
  {
    MutexGuard guard{lock_};
    if (reader) {
      ++reader_count_;
      ++reader_generation_;
    }
    if (writer) {
      ++writer_count_;
      ++writer_generation_;
    }
  }
  // Opens of a FIFO that wait for us.
  if (reader) writers_.wake_all();
  if (writer) readers_.wake_all();
}

void Pipe::remove_ends(bool reader, bool writer) {
  {
    MutexGuard guard{lock_};
    if (reader) --reader_count_;
    if (writer) --writer_count_;
    if (reader_count_ == 0 && writer_count_ == 0) {
      while (!empty_locked()) drop_first_locked();
      spare_ = {};
    }
  }
  readers_.wake_all(vfs::poll_readable | vfs::poll_hang_up);
  writers_.wake_all(vfs::poll_writable | vfs::poll_error);
}

std::uint32_t Pipe::writer_generation() {
  MutexGuard guard{lock_};
  return writer_generation_;
}

Result<void> Pipe::wait_for_reader(bool non_blocking) {
  MutexGuard guard{lock_};
  if (reader_count_ > 0) return {};
  if (non_blocking) return error(Errno::enxio);
  std::uint32_t seen = reader_generation_;
  return writers_.wait(guard, WaitMode::interruptible,
                       [&]() NO_THREAD_SAFETY_ANALYSIS { return reader_generation_ != seen; });
}

Result<void> Pipe::wait_for_writer() {
  MutexGuard guard{lock_};
  if (writer_count_ > 0) return {};
  std::uint32_t seen = writer_generation_;
  return readers_.wait(guard, WaitMode::interruptible,
                       [&]() NO_THREAD_SAFETY_ANALYSIS { return writer_generation_ != seen; });
}

// ---- Size ----

std::size_t Pipe::capacity() {
  MutexGuard guard{lock_};
  return ring_.size() * page_size;
}

Result<std::size_t> Pipe::set_capacity(std::size_t bytes, bool privileged) {
  if (bytes > std::size_t{limit_capacity_pages} * page_size) return error(Errno::einval);
  std::uint32_t pages = 1;
  while (std::size_t{pages} * page_size < bytes) pages *= 2;
  std::uint32_t unprivileged_pages = vfs::limits.pipe_max_size.load(std::memory_order_relaxed) / page_size;
  {
    MutexGuard guard{lock_};
    if (pages > ring_.size() && pages > unprivileged_pages && !privileged) return error(Errno::eperm);
    std::uint32_t used = head_ - tail_;
    if (used > pages) return error(Errno::ebusy);
    base::Vector<Piece> fresh;
    TRY(fresh.try_resize(pages));
    for (std::uint32_t i = 0; i < used; ++i) fresh[i] = std::move(at_locked(tail_ + i));
    ring_ = std::move(fresh);
    tail_ = 0;
    head_ = used;
  }
  writers_.wake_all(vfs::poll_writable);
  return std::size_t{pages} * page_size;
}

// ---- Pages ----

Result<std::size_t> Pipe::peek_pieces(std::size_t length, bool non_blocking,
                                      base::FunctionRef<std::size_t(const Piece&)> accept) {
  MutexGuard guard{lock_};
  TRY(wait_readable_locked(guard, non_blocking));
  std::size_t total = 0;
  for (std::uint32_t index = tail_; index != head_ && total < length; ++index) {
    Piece& piece = at_locked(index);
    auto wanted = static_cast<std::uint32_t>(std::min<std::size_t>(piece.length, length - total));
    std::size_t done = accept({piece.page.clone(), piece.offset, wanted, piece.packet, false});
    total += done;
    if (done < wanted) break;
  }
  return total;
}

Result<void> Pipe::Transfer::begin(bool non_blocking) {
  MutexGuard guard{pipe_.lock_};
  TRY(pipe_.wait_readable_locked(guard, non_blocking));
  pipe_.transferring_ = begun_ = true;
  return {};
}

Piece Pipe::Transfer::first(std::size_t length) {
  MutexGuard guard{pipe_.lock_};
  if (pipe_.empty_locked() || length == 0) return {};
  Piece& piece = pipe_.at_locked(pipe_.tail_);
  auto shown = static_cast<std::uint32_t>(std::min<std::size_t>(piece.length, length));
  // The second reference keeps writers from continuing in the page.
  return {piece.page.clone(), piece.offset, shown, piece.packet, false};
}

void Pipe::Transfer::consume(Piece piece, std::size_t length) {
  if (length == 0) return;
  piece.page = {};  // a page that is empty now may be used again
  MutexGuard guard{pipe_.lock_};
  Piece& first = pipe_.at_locked(pipe_.tail_);
  first.offset += static_cast<std::uint32_t>(length);
  first.length -= static_cast<std::uint32_t>(length);
  if (first.length > 0) return;
  pipe_.drop_first_locked();
  consumed_ = true;
}

Pipe::Transfer::~Transfer() {
  if (!begun_) return;
  bool readable;
  {
    MutexGuard guard{pipe_.lock_};
    pipe_.transferring_ = false;
    readable = !pipe_.empty_locked() || pipe_.writer_count_ == 0;
  }
  if (readable) pipe_.readers_.wake_all(vfs::poll_readable);  // all who wait because of us
  if (consumed_) pipe_.writers_.wake_one(vfs::poll_writable);
}

Result<void> Pipe::wait_for_room(bool non_blocking) {
  MutexGuard guard{lock_};
  auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS { return !full_locked() || reader_count_ == 0; };
  if (!ready()) {
    if (non_blocking) return error(Errno::eagain);
    TRY(writers_.wait(guard, WaitMode::interruptible, ready));
  }
  if (reader_count_ == 0) return error(Errno::epipe);
  return {};
}

bool Pipe::put_piece(Piece&& piece) {
  {
    MutexGuard guard{lock_};
    if (reader_count_ == 0 || full_locked()) return false;
    at_locked(head_++) = std::move(piece);
  }
  readers_.wake_one(vfs::poll_readable);
  return true;
}

}  // namespace pipe
