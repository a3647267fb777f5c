// sendfile(2), copy_file_range(2)
#include <algorithm>

#include "core/memory/io_buffer.h"
#include "syscalls/files/rows.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

constexpr std::size_t block_size = 16 * 1024;

// Where one side of a copy stands: the file's own position, or an offset of the program's.
struct Side {
  vfs::File& file;
  bool own_position;
  std::uint64_t offset;

  Result<std::size_t> read(std::span<std::byte> to) {
    auto buffer = core::IoBuffer::kernel(to);
    std::size_t done = TRY(own_position ? file.read(buffer) : file.positioned_read(buffer, offset));
    offset += done;
    return done;
  }
  Result<std::size_t> write(std::span<const std::byte> from) {
    auto buffer = core::IoBuffer::kernel(from);
    std::size_t done = TRY(own_position ? file.write(buffer) : file.positioned_write(buffer, offset));
    offset += done;
    return done;
  }
  // Gives back what was read but could not be written.
  void unread(std::size_t count) {
    offset -= count;
    if (own_position && file.has_trait(vfs::File::has_position)) file.set_position(file.position() - count);
  }
};

Result<std::size_t> copy(Context& context, Side& from, Side& to, std::size_t count) {
  base::Vector<std::byte> memory;
  TRY(memory.try_resize(count < block_size ? count : block_size));
  std::size_t total = 0;
  while (total < count) {
    std::size_t part = count - total < memory.size() ? count - total : memory.size();
    auto got = from.read(memory.span().first(part));
    if (!got) {
      if (total) break;
      return error(got.error());
    }
    if (*got == 0) break;
    auto put = to.write(memory.span().first(*got));
    std::size_t done = put ? *put : 0;
    if (done < *got) from.unread(*got - done);
    total += done;
    if (!put) {
      if (total) break;
      return error(put.error());
    }
    if (done < *got || context.task.thread().interrupted(core::WaitMode::interruptible)) break;
  }
  return total;
}

}  // namespace

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
  auto done = copy(context, from, to, count < max_transfer ? count : max_transfer);
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
  std::size_t done = TRY(copy(context, from, to, length));
  if (in_offset) TRY(in_offset.write(static_cast<std::int64_t>(from.offset)));
  if (out_offset) TRY(out_offset.write(static_cast<std::int64_t>(to.offset)));
  return static_cast<long>(done);
}

}  // namespace linux_abi
