#include "syscalls/files/transfer.h"

#include <algorithm>

#include "core/memory/io_buffer.h"
#include "core/memory/page_allocator.h"
#include "linux_abi/task.h"

namespace linux_abi {

namespace {

// Writes each page to a file. Stops when a write falls short, or for a signal once something was written.
class FileWriter final : public core::PageSink {
 public:
  FileWriter(Task& task, Side& to) : task_(task), to_(to) {}

  std::size_t take(core::PageRef page, std::uint32_t offset, std::uint32_t length) override {
    if (written_ && task_.thread().interrupted(core::WaitMode::interruptible)) return 0;
    auto done = to_.write({page.data<const std::byte>() + offset, length});
    if (!done) {
      failure_ = done.error();
      return 0;
    }
    written_ += *done;
    return *done;
  }
  std::optional<Errno> failure() const { return failure_; }

 private:
  Task& task_;
  Side& to_;
  std::size_t written_ = 0;
  std::optional<Errno> failure_;
};

// Puts references to pages into a pipe while it has room.
class PipeFiller final : public core::PageSink {
 public:
  explicit PipeFiller(pipe::Pipe& to) : to_(to) {}

  std::size_t take(core::PageRef page, std::uint32_t offset, std::uint32_t length) override {
    refused_ = !to_.put_piece({std::move(page), offset, length});
    return refused_ ? 0 : length;
  }
  bool refused() const { return refused_; }

 private:
  pipe::Pipe& to_;
  bool refused_ = false;
};

// Through a page of ours.
Result<std::size_t> copy_bytes(Task& task, Side& from, Side& to, std::size_t count) {
  core::PageRef page = TRY(core::allocate_page(core::AllocationFlags::none));
  std::span<std::byte> memory{page.data<std::byte>(), core::page_size};
  std::size_t total = 0;
  while (total < count) {
    auto got = from.read(memory.first(std::min(count - total, memory.size())));
    if (!got) return total ? Result<std::size_t>(total) : got;
    if (*got == 0) break;
    auto put = to.write(memory.first(*got));
    std::size_t done = put ? *put : 0;
    if (done < *got) from.unread(*got - done);
    total += done;
    if (!put) return total ? Result<std::size_t>(total) : put;
    if (done < *got || task.thread().interrupted(core::WaitMode::interruptible)) break;
  }
  return total;
}

// Puts a page that was filled into a pipe whose room others may have taken since.
Result<void> put_read_page(pipe::Pipe& to, core::PageRef page, std::size_t length) {
  pipe::Piece piece{std::move(page), 0, static_cast<std::uint32_t>(length), false, true};
  while (!to.put_piece(std::move(piece))) TRY(to.wait_for_room(false));
  return {};
}

Result<std::size_t> fill_by_reading(Side& from, pipe::Pipe& to, std::size_t length, bool non_blocking) {
  // What may block is asked again only if it can be told not to.
  bool waits = !from.file.has_trait(vfs::File::has_position);
  bool can_refuse = from.file.has_trait(vfs::File::no_wait_capable);
  std::size_t total = 0;
  while (total < length) {
    auto page = core::allocate_page(core::AllocationFlags::user);
    if (!page) return total ? Result<std::size_t>(total) : error(page.error());
    std::span<std::byte> memory{page->data<std::byte>(), std::min(length - total, core::page_size)};
    bool no_wait = waits && can_refuse && (non_blocking || total);
    auto got = from.read(memory, no_wait ? vfs::io_no_wait : vfs::io_none);
    if (!got) return total ? Result<std::size_t>(total) : got;
    if (*got == 0) break;
    if (auto put = put_read_page(to, std::move(*page), *got); !put) {
      from.unread(*got);
      return total ? Result<std::size_t>(total) : error(put.error());
    }
    total += *got;
    if (*got < memory.size() || (waits && !can_refuse) || !to.wait_for_room(true)) break;
  }
  return total;
}

}  // namespace

Result<std::size_t> Side::read(std::span<std::byte> to, vfs::IoFlags flags) {
  auto buffer = core::IoBuffer::kernel(to);
  std::size_t done =
      TRY(own_position ? file.read(buffer, flags) : file.positioned_read(buffer, offset, flags));
  offset += done;
  return done;
}

Result<std::size_t> Side::write(std::span<const std::byte> from) {
  auto buffer = core::IoBuffer::kernel(from);
  std::size_t done = TRY(own_position ? file.write(buffer) : file.positioned_write(buffer, offset));
  offset += done;
  return done;
}

// The position is not locked meanwhile, as on Linux: the sink may wait for ever.
Result<std::size_t> Side::read_pages(std::size_t length, core::PageSink& sink) {
  std::uint64_t at = own_position ? file.position() : offset;
  std::size_t done = TRY(file.read_pages(at, length, sink));
  offset += done;
  if (own_position) file.set_position(at + done);
  return done;
}

void Side::unread(std::size_t count) {
  offset -= count;
  if (own_position && file.has_trait(vfs::File::has_position)) file.set_position(file.position() - count);
}

Result<std::size_t> copy_between(Task& task, Side& from, Side& to, std::size_t count) {
  FileWriter writer{task, to};
  auto done = from.read_pages(count, writer);
  if (!done && done.error() == Errno::einval) return copy_bytes(task, from, to, count);
  if (done && *done == 0 && writer.failure()) return error(*writer.failure());
  return done;
}

Result<std::size_t> fill_pipe(Side& from, pipe::Pipe& to, std::size_t length, bool non_blocking) {
  for (;;) {
    TRY(to.wait_for_room(non_blocking));
    PipeFiller filler{to};
    auto done = from.read_pages(length, filler);
    if (!done && done.error() == Errno::einval) return fill_by_reading(from, to, length, non_blocking);
    // Somebody was faster.
    if (done && *done == 0 && filler.refused()) continue;
    return done;
  }
}

Result<std::size_t> empty_pipe(pipe::Pipe& from, Side& to, std::size_t length, bool non_blocking) {
  pipe::Pipe::Transfer transfer{from};
  TRY(transfer.begin(non_blocking));
  std::size_t total = 0;
  while (pipe::Piece piece = transfer.first(length - total)) {
    std::size_t wanted = piece.length;
    auto done = to.write(piece.bytes());
    if (!done) return total ? Result<std::size_t>(total) : done;
    transfer.consume(std::move(piece), *done);
    total += *done;
    if (*done < wanted) break;
  }
  return total;
}

Result<std::size_t> move_between(pipe::Pipe& from, pipe::Pipe& to, std::size_t length, bool non_blocking) {
  std::size_t total = 0;
  while (total == 0) {
    // Before the transfer: two calls in opposite directions must not hold a pipe each while they wait.
    TRY(to.wait_for_room(non_blocking));
    pipe::Pipe::Transfer transfer{from};
    TRY(transfer.begin(non_blocking));
    bool more = false;
    while (pipe::Piece piece = transfer.first(length - total)) {
      std::uint32_t size = piece.length;
      more = true;
      if (!to.put_piece({piece.page.clone(), piece.offset, size, piece.packet})) break;
      transfer.consume(std::move(piece), size);
      total += size;
    }
    if (!more) break;  // nobody writes any more
  }
  return total;
}

}  // namespace linux_abi
