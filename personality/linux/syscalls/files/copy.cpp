// sendfile(2), copy_file_range(2)
#include <algorithm>

#include "syscalls/files/rows.h"
#include "syscalls/files/transfer.h"
#include "vfs/inode.h"

namespace linux_abi {

Result<long> sys_sendfile(Context& context, FileDescriptor out, FileDescriptor in,
                          UserInOut<std::int64_t> offset, std::size_t count) {
  std::int64_t start = offset ? TRY(offset.read()) : 0;
  FileUse source = TRY(context.task.files->use(in.number)), target = TRY(context.task.files->use(out.number));
  if (!source->can_read() || !target->can_write()) return error(Errno::ebadf);
  if (!source->has_trait(vfs::File::has_position) && !source->has_trait(vfs::File::pipe_file))
    return error(Errno::einval);
  if (target->flags() & vfs::open_append) return error(Errno::einval);
  if (start < 0) return error(Errno::einval);
  if (offset && !source->has_trait(vfs::File::has_position)) return error(Errno::espipe);
  Side from{*source, !offset, static_cast<std::uint64_t>(start)}, to{*target, true, 0};
  std::size_t most = count < max_transfer ? count : max_transfer;
  auto* pipe = target->as<pipe::PipeFile>();
  auto done = pipe ? fill_pipe(from, pipe->pipe(), most, target->is_non_blocking())
                   : copy_between(context.task, from, to, most);
  if (!done) {
    if (done.error() == Errno::epipe) (void)send_signal(context.task, SigInfo(signal::pipe, si::user));
    return error(done.error());
  }
  if (offset) TRY(offset.write(static_cast<std::int64_t>(from.offset)));
  return static_cast<long>(*done);
}

Result<long> sys_copy_file_range(Context& context, FileDescriptor in, UserInOut<std::int64_t> in_offset,
                                 FileDescriptor out, UserInOut<std::int64_t> out_offset, std::size_t count,
                                 unsigned flags) {
  FileUse source = TRY(context.task.files->use(in.number)), target = TRY(context.task.files->use(out.number));
  if (flags) return error(Errno::einval);
  vfs::Mode in_mode = source->inode().mode(), out_mode = target->inode().mode();
  if (vfs::is_directory(in_mode) || vfs::is_directory(out_mode)) return error(Errno::eisdir);
  if (!vfs::is_regular(in_mode) || !vfs::is_regular(out_mode)) return error(Errno::einval);
  if (!source->can_read() || !target->can_write() || (target->flags() & vfs::open_append))
    return error(Errno::ebadf);
  std::int64_t from_start = in_offset ? TRY(in_offset.read()) : static_cast<std::int64_t>(source->position());
  std::int64_t to_start = out_offset ? TRY(out_offset.read()) : static_cast<std::int64_t>(target->position());
  if (from_start < 0 || to_start < 0) return error(Errno::einval);
  auto from_begin = static_cast<std::uint64_t>(from_start), to_begin = static_cast<std::uint64_t>(to_start);
  std::uint64_t size = source->inode().size();
  if (from_begin >= size) return 0;
  std::uint64_t length = std::min<std::uint64_t>({count, max_transfer, size - from_begin});
  if (&source->inode() == &target->inode() && from_begin < to_begin + length &&
      to_begin < from_begin + length)
    return error(Errno::einval);
  Side from{*source, !in_offset, from_begin};
  Side to{*target, !out_offset, to_begin};
  std::size_t done = TRY(copy_between(context.task, from, to, length));
  if (in_offset) TRY(in_offset.write(static_cast<std::int64_t>(from.offset)));
  if (out_offset) TRY(out_offset.write(static_cast<std::int64_t>(to.offset)));
  return static_cast<long>(done);
}

}  // namespace linux_abi
