// Reading, writing, and what else is done to a file.
#include <algorithm>

#include "core/memory/io_buffer.h"
#include "linux_abi/io_flags.h"
#include "linux_abi/io_vectors.h"
#include "syscalls/async_io/uring_ops.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace linux_abi {

using namespace uring;

bool uring_moves_data(unsigned opcode) {
  return opcode == op_readv || opcode == op_writev || opcode == op_read_fixed || opcode == op_write_fixed ||
         opcode == op_read || opcode == op_write || opcode == op_splice || opcode == op_tee;
}

std::uint32_t uring_expected_length(const UringRequest& request) {
  if (!request.has_segments)
    return request.has_buffer ? std::min(request.sqe.length ? request.sqe.length : request.buffer_length,
                                         request.buffer_length)
                              : request.sqe.length;
  std::uint64_t total = 0;
  for (const core::UserSegment& segment : request.segments) total += segment.length;
  return static_cast<std::uint32_t>(total);
}

namespace {

Direction direction_of(unsigned opcode) {
  return opcode == op_readv || opcode == op_read_fixed || opcode == op_read ? Direction::read
                                                                            : Direction::write;
}

// The vectors as they were at the first try: the program may use its array again.
Result<void> keep_segments(UringIssue& issue) {
  UringRequest& request = issue.request;
  if (request.has_segments) return {};
  IoVectors vectors;
  TRY(vectors.read(UserArray<Iovec>(UserAddress(request.sqe.address)), request.sqe.length));
  TRY(request.segments.try_append(vectors.span()));
  request.has_segments = true;
  return {};
}

Result<std::size_t> move(UringIssue& issue, core::IoBuffer&& buffer, vfs::IoFlags flags) {
  vfs::File& file = issue.file();
  bool reading = direction_of(issue.sqe().opcode) == Direction::read;
  std::uint64_t offset = issue.sqe().offset;
  if (!file.has_trait(vfs::File::has_position) || offset == ~std::uint64_t{0})
    return reading ? file.read(buffer, flags) : file.write(buffer, flags);
  if (static_cast<std::int64_t>(offset) < 0) return error(Errno::einval);
  return reading ? file.positioned_read(buffer, offset, flags) : file.positioned_write(buffer, offset, flags);
}

Result<std::size_t> move_fixed(UringIssue& issue, vfs::IoFlags flags) {
  const UringSqe& sqe = issue.sqe();
  RefPtr<UringFixedBuffer> buffer;
  {
    core::MutexGuard guard{issue.ring.resources_lock};
    if (sqe.buffer >= issue.ring.resources.buffers.size()) return error(Errno::efault);
    buffer = issue.ring.resources.buffers[sqe.buffer];
  }
  if (!buffer) return error(Errno::efault);
  return move(issue, core::IoBuffer::kernel(TRY(buffer->range(sqe.address, sqe.length))), flags);
}

Result<std::size_t> try_transfer(UringIssue& issue, vfs::IoFlags flags) {
  UringRequest& request = issue.request;
  const UringSqe& sqe = request.sqe;
  if (sqe.opcode == op_read_fixed || sqe.opcode == op_write_fixed) return move_fixed(issue, flags);
  if (request.has_flag(buffer_select)) {
    TRY(uring_select_buffer(issue));
    std::uint32_t length = uring_expected_length(request);
    auto done = move(issue, core::IoBuffer::user(UserAddress(request.buffer_address), length), flags);
    if (!done) uring_return_buffer(issue);
    return done;
  }
  if (sqe.opcode == op_readv || sqe.opcode == op_writev) {
    TRY(keep_segments(issue));
    return move(issue, core::IoBuffer::user(request.segments.span()), flags);
  }
  if (!core::is_user_range(UserAddress(sqe.address), sqe.length)) return error(Errno::efault);
  std::size_t length = std::min<std::uint64_t>(sqe.length, max_transfer);
  return move(issue, core::IoBuffer::user(UserAddress(sqe.address), length), flags);
}

}  // namespace

Result<long> uring_transfer(UringIssue& issue) {
  UringRequest& request = issue.request;
  vfs::File& file = issue.file();
  Direction direction = direction_of(request.sqe.opcode);
  bool reading = direction == Direction::read;
  if (!(reading ? file.can_read() : file.can_write())) return error(Errno::ebadf);
  if (file.has_trait(vfs::File::directory_file)) return error(reading ? Errno::eisdir : Errno::ebadf);
  vfs::IoFlags flags = TRY(checked_io_flags(file, request.sqe.op_flags, direction));
  if (flags & vfs::io_no_wait) request.no_wait = true;
  vfs::Mode mode = file.inode().mode();
  bool pollable = !vfs::is_regular(mode) && !vfs::is_block(mode);
  if (!issue.may_wait) {
    // Without a way to ask it not to wait, it is a worker's.
    if (!file.has_trait(vfs::File::no_wait_capable)) TRY(issue.in_worker());
    flags |= vfs::io_no_wait;
    request.poll_events = pollable ? reading ? vfs::poll_readable : vfs::poll_writable : 0;
  }
  auto done = try_transfer(issue, flags);
  if (!done) {
    if (!reading && done.error() == Errno::epipe && &issue.context.task == request.submitter)
      (void)!send_signal(issue.context.task, SigInfo(signal::pipe, si::user));
    return error(done.error());
  }
  reading ? issue.context.task.account_read(*done) : issue.context.task.account_write(*done);
  return static_cast<long>(*done);
}

Result<long> uring_fsync(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.address || sqe.buffer || sqe.extra_fd || sqe.op_flags & ~1u) return error(Errno::einval);
  vfs::Mode mode = issue.file().inode().mode();
  if (!vfs::is_regular(mode) && !vfs::is_block(mode) && !vfs::is_directory(mode)) return error(Errno::einval);
  TRY(issue.in_worker());
  std::uint64_t last = sqe.length ? sqe.offset + sqe.length - 1 : ~std::uint64_t{0} >> 1;
  TRY(issue.file().sync(sqe.offset, last, (sqe.op_flags & 1) != 0));
  return 0;
}

Result<long> uring_sync_file_range(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  auto offset = static_cast<std::int64_t>(sqe.offset);
  if (sqe.address || sqe.buffer || sqe.op_flags & ~7u || offset < 0) return error(Errno::einval);
  vfs::Mode mode = issue.file().inode().mode();
  if (!vfs::is_regular(mode) && !vfs::is_block(mode) && !vfs::is_directory(mode)) return error(Errno::espipe);
  TRY(issue.in_worker());
  std::uint64_t last = sqe.length ? sqe.offset + sqe.length - 1 : ~std::uint64_t{0} >> 1;
  if (sqe.op_flags) TRY(issue.file().sync(sqe.offset, last, true));
  return 0;
}

Result<long> uring_fallocate(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  auto offset = static_cast<std::int64_t>(sqe.offset), length = static_cast<std::int64_t>(sqe.address);
  if (sqe.buffer || sqe.op_flags || offset < 0 || length <= 0) return error(Errno::einval);
  if (!base::checked_add(offset, length)) return error(Errno::efbig);
  TRY(issue.in_worker());
  TRY(vfs::allocate(issue.file(), static_cast<int>(sqe.length), sqe.offset, sqe.address));
  return 0;
}

Result<long> uring_ftruncate(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.op_flags || sqe.address || sqe.length || sqe.buffer || sqe.extra_fd || sqe.address3)
    return error(Errno::einval);
  if (static_cast<std::int64_t>(sqe.offset) < 0) return error(Errno::einval);
  if (!vfs::is_regular(issue.file().inode().mode()) || !issue.file().can_write()) return error(Errno::einval);
  TRY(issue.in_worker());
  TRY(vfs::limit_write(sqe.offset ? sqe.offset - 1 : 0, 1));
  TRY(vfs::truncate(issue.file(), sqe.offset));
  return 0;
}

}  // namespace linux_abi
