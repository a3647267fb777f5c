// splice(2), tee(2), vmsplice(2)
#include "core/memory/io_buffer.h"
#include "linux_abi/io_vectors.h"
#include "pipe/pipe.h"
#include "syscalls/files/rows.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

constexpr unsigned move_flag = 1, non_blocking_flag = 2, more_flag = 4, gift_flag = 8;
constexpr unsigned known_flags = move_flag | non_blocking_flag | more_flag | gift_flag;
constexpr std::size_t block_size = 16 * 1024;

struct End {
  vfs::File& file;
  UserInOut<std::int64_t> offset_pointer;
  std::int64_t offset = 0;

  Result<void> prepare() {
    if (!offset_pointer) return {};
    if (file.has_trait(vfs::File::pipe_file)) return error(Errno::espipe);
    if (!file.has_trait(vfs::File::has_position)) return error(Errno::einval);
    offset = TRY(offset_pointer.read());
    if (offset < 0) return error(Errno::einval);
    return {};
  }
  Result<std::size_t> read(core::IoBuffer& buffer, vfs::IoFlags flags) {
    if (!offset_pointer) return file.read(buffer, flags);
    return file.positioned_read(buffer, static_cast<std::uint64_t>(offset), flags);
  }
  Result<std::size_t> write(core::IoBuffer& buffer, vfs::IoFlags flags) {
    if (!offset_pointer) return file.write(buffer, flags);
    return file.positioned_write(buffer, static_cast<std::uint64_t>(offset), flags);
  }
  Result<void> finish(std::size_t done) {
    if (!offset_pointer) return {};
    return offset_pointer.write(offset + static_cast<std::int64_t>(done));
  }
};

}  // namespace

// One block at a time and by copying: what was read is written before anything else happens.
Result<long> sys_splice(Context& context, FileDescriptor in, UserInOut<std::int64_t> in_offset,
                        FileDescriptor out, UserInOut<std::int64_t> out_offset, std::size_t length,
                        unsigned flags) {
  if (flags & ~known_flags) return error(Errno::einval);
  if (!length) return 0;
  FileUse source = TRY(context.task.files->use(in.number)), target = TRY(context.task.files->use(out.number));
  bool from_pipe = source->has_trait(vfs::File::pipe_file), to_pipe = target->has_trait(vfs::File::pipe_file);
  if ((from_pipe && in_offset) || (to_pipe && out_offset)) return error(Errno::espipe);
  if (!source->can_read() || !target->can_write()) return error(Errno::ebadf);
  if (!from_pipe && !to_pipe) return error(Errno::einval);
  if (from_pipe && to_pipe && &source->inode() == &target->inode()) return error(Errno::einval);
  if (target->flags() & vfs::open_append) return error(Errno::einval);
  End from{*source, in_offset}, to{*target, out_offset};
  TRY(from.prepare());
  TRY(to.prepare());
  base::Vector<std::byte> memory;
  TRY(memory.try_resize(length < block_size ? length : block_size));
  vfs::IoFlags io_flags = flags & non_blocking_flag ? vfs::io_no_wait : vfs::io_none;
  // Never read more than a pipe at the other end takes without blocking for ever.
  auto input = core::IoBuffer::kernel(memory.span());
  std::size_t got = TRY(from.read(input, from_pipe ? io_flags : vfs::io_none));
  std::size_t written = 0;
  while (written < got) {
    auto output =
        core::IoBuffer::kernel(std::span<const std::byte>(memory.span()).subspan(written, got - written));
    // Once data has been taken out of a pipe it must arrive: no give-up in between.
    auto done = to.write(output, to_pipe && !from_pipe && written == 0 ? io_flags : vfs::io_none);
    if (!done) {
      if (!written) {
        if (!from_pipe && !in_offset && source->has_trait(vfs::File::has_position))
          source->set_position(source->position() - got);
        if (done.error() == Errno::epipe) (void)send_signal(context.task, SigInfo(signal::pipe, si::user));
        return error(done.error());
      }
      break;
    }
    written += *done;
    to.offset += static_cast<std::int64_t>(*done);
    if (!*done) break;
  }
  if (!from_pipe && !in_offset && written < got && source->has_trait(vfs::File::has_position))
    source->set_position(source->position() - (got - written));
  TRY(from.finish(written));
  TRY(to.finish(0));
  return static_cast<long>(written);
}

// The pages are shared between the two pipes.
Result<long> sys_tee(Context& context, FileDescriptor in, FileDescriptor out, std::size_t length,
                     unsigned flags) {
  if (flags & ~known_flags) return error(Errno::einval);
  if (!length) return 0;
  FileUse source = TRY(context.task.files->use(in.number)), target = TRY(context.task.files->use(out.number));
  if (!source->can_read() || !target->can_write()) return error(Errno::ebadf);
  auto *from = source->as<pipe::PipeFile>(), *to = target->as<pipe::PipeFile>();
  if (!from || !to || &from->pipe() == &to->pipe()) return error(Errno::einval);
  bool non_blocking = flags & non_blocking_flag;
  // The pieces are collected first: one pipe's lock is not taken inside the other's.
  base::Vector<pipe::Piece> pieces;
  bool no_memory = false;
  auto take = [&](const pipe::Piece& piece) -> std::size_t {
    pipe::Piece copy{piece.page.clone(), piece.offset, piece.length, piece.packet, false};
    std::size_t size = copy.length;
    if (pieces.try_push_back(std::move(copy))) return size;
    no_memory = true;
    return 0;
  };
  TRY(to->pipe().wait_for_room(non_blocking));
  TRY(from->pipe().take_pieces(length, pipe::Pipe::Take::copy, non_blocking, take));
  if (no_memory && pieces.empty()) return error(Errno::enomem);
  std::size_t done = 0;
  for (pipe::Piece& piece : pieces) {
    if (piece.length > length - done) piece.length = static_cast<std::uint32_t>(length - done);
    std::size_t size = piece.length;
    if (!size || !to->pipe().put_piece(std::move(piece))) break;
    done += size;
  }
  return static_cast<long>(done);
}

Result<long> sys_vmsplice(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                          unsigned flags) {
  if (flags & ~known_flags) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!file->has_trait(vfs::File::pipe_file)) return error(Errno::ebadf);
  IoVectors segments;
  TRY(segments.read(vectors, count));
  auto buffer = core::IoBuffer::user(segments.span());
  vfs::IoFlags io_flags = flags & non_blocking_flag ? vfs::io_no_wait : vfs::io_none;
  auto done = file->can_write() ? file->write(buffer, io_flags) : file->read(buffer, io_flags);
  if (!done) {
    if (done.error() == Errno::epipe) (void)send_signal(context.task, SigInfo(signal::pipe, si::user));
    return error(done.error());
  }
  return static_cast<long>(*done);
}

}  // namespace linux_abi
