// splice(2), tee(2), vmsplice(2)
#include <algorithm>

#include "core/memory/io_buffer.h"
#include "linux_abi/io_vectors.h"
#include "pipe/pipe.h"
#include "syscalls/files/rows.h"
#include "syscalls/files/splice.h"
#include "syscalls/files/transfer.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

// The side that is not a pipe.
Result<Side> side_of(vfs::File& file, const std::int64_t* offset) {
  if (!offset) return Side{file, true, 0};
  if (!file.has_trait(vfs::File::has_position) || *offset < 0) return error(Errno::einval);
  return Side{file, false, static_cast<std::uint64_t>(*offset)};
}

struct Splice {
  vfs::File &source, &target;
  std::int64_t *in_offset, *out_offset;
  std::size_t length;
  bool non_blocking;

  Result<std::size_t> run() {
    auto *from = source.as<pipe::PipeFile>(), *to = target.as<pipe::PipeFile>();
    if (from && to)
      return move_between(from->pipe(), to->pipe(), length,
                          non_blocking || source.is_non_blocking() || target.is_non_blocking());
    Side side = TRY(to ? side_of(source, in_offset) : side_of(target, out_offset));
    std::size_t done =
        TRY(to ? fill_pipe(side, to->pipe(), length, non_blocking || target.is_non_blocking())
               : empty_pipe(from->pipe(), side, length, non_blocking || source.is_non_blocking()));
    if (std::int64_t* offset = to ? in_offset : out_offset) *offset = static_cast<std::int64_t>(side.offset);
    return done;
  }
};

}  // namespace

Result<std::size_t> splice_files(Task& task, vfs::File& source, std::int64_t* in_offset, vfs::File& target,
                                 std::int64_t* out_offset, std::size_t length, unsigned flags) {
  if (flags & ~splice_known_flags) return error(Errno::einval);
  bool from_pipe = source.has_trait(vfs::File::pipe_file), to_pipe = target.has_trait(vfs::File::pipe_file);
  if ((from_pipe && in_offset) || (to_pipe && out_offset)) return error(Errno::espipe);
  if (!source.can_read() || !target.can_write()) return error(Errno::ebadf);
  if (!from_pipe && !to_pipe) return error(Errno::einval);
  if (from_pipe && to_pipe && &source.inode() == &target.inode()) return error(Errno::einval);
  if (!to_pipe && (target.flags() & vfs::open_append)) return error(Errno::einval);
  Splice splice{source,
                target,
                in_offset,
                out_offset,
                std::min<std::size_t>(length, max_transfer),
                (flags & splice_non_blocking) != 0};
  auto done = splice.run();
  if (!done && done.error() == Errno::epipe) (void)send_signal(task, SigInfo(signal::pipe, si::user));
  return done;
}

// The pages are shared between the two pipes.
Result<std::size_t> tee_files(vfs::File& source, vfs::File& target, std::size_t length, unsigned flags) {
  if (flags & ~splice_known_flags) return error(Errno::einval);
  if (!source.can_read() || !target.can_write()) return error(Errno::ebadf);
  auto *from = source.as<pipe::PipeFile>(), *to = target.as<pipe::PipeFile>();
  if (!from || !to || &from->pipe() == &to->pipe()) return error(Errno::einval);
  bool non_blocking = flags & splice_non_blocking;
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
  TRY(from->pipe().peek_pieces(length, non_blocking, take));
  if (no_memory && pieces.empty()) return error(Errno::enomem);
  std::size_t done = 0;
  for (pipe::Piece& piece : pieces) {
    if (piece.length > length - done) piece.length = static_cast<std::uint32_t>(length - done);
    std::size_t size = piece.length;
    if (!size || !to->pipe().put_piece(std::move(piece))) break;
    done += size;
  }
  return done;
}

Result<long> sys_splice(Context& context, FileDescriptor in, UserInOut<std::int64_t> in_offset,
                        FileDescriptor out, UserInOut<std::int64_t> out_offset, std::size_t length,
                        unsigned flags) {
  if (flags & ~splice_known_flags) return error(Errno::einval);
  if (!length) return 0;
  FileUse source = TRY(context.task.files->use(in.number)), target = TRY(context.task.files->use(out.number));
  if ((in_offset && source->has_trait(vfs::File::pipe_file)) ||
      (out_offset && target->has_trait(vfs::File::pipe_file)))
    return error(Errno::espipe);
  std::int64_t from = 0, to = 0;
  if (in_offset) from = TRY(in_offset.read());
  if (out_offset) to = TRY(out_offset.read());
  std::size_t done = TRY(splice_files(context.task, *source, in_offset ? &from : nullptr, *target,
                                      out_offset ? &to : nullptr, length, flags));
  if (in_offset) TRY(in_offset.write(from));
  if (out_offset) TRY(out_offset.write(to));
  return static_cast<long>(done);
}

Result<long> sys_tee(Context& context, FileDescriptor in, FileDescriptor out, std::size_t length,
                     unsigned flags) {
  if (flags & ~splice_known_flags) return error(Errno::einval);
  if (!length) return 0;
  FileUse source = TRY(context.task.files->use(in.number)), target = TRY(context.task.files->use(out.number));
  return static_cast<long>(TRY(tee_files(*source, *target, length, flags)));
}

Result<long> sys_vmsplice(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                          unsigned flags) {
  if (flags & ~splice_known_flags) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!file->has_trait(vfs::File::pipe_file)) return error(Errno::ebadf);
  IoVectors segments;
  TRY(segments.read(vectors, count));
  auto buffer = core::IoBuffer::user(segments.span());
  vfs::IoFlags io_flags = flags & splice_non_blocking ? vfs::io_no_wait : vfs::io_none;
  auto done = file->can_write() ? file->write(buffer, io_flags) : file->read(buffer, io_flags);
  if (!done) {
    if (done.error() == Errno::epipe) (void)send_signal(context.task, SigInfo(signal::pipe, si::user));
    return error(done.error());
  }
  return static_cast<long>(*done);
}

}  // namespace linux_abi
