// read(2), write(2), pread64(2), readv(2), preadv2(2) and their twins
#include "core/memory/io_buffer.h"
#include "linux_abi/io_flags.h"
#include "linux_abi/io_vectors.h"
#include "syscalls/files/rows.h"

namespace linux_abi {

namespace {

using core::IoBuffer;

std::size_t clamp(std::size_t size) { return size < max_transfer ? size : max_transfer; }

// SIGPIPE goes to the thread that wrote.
[[gnu::noinline]] Result<long> write_failed(Context& context, Errno code) {
  if (code == Errno::epipe) (void)send_signal(context.task, SigInfo(signal::pipe, si::user));
  return error(code);
}

Result<long> finish_write(Context& context, Result<std::size_t> done) {
  if (!done) [[unlikely]]
    return write_failed(context, done.error());
  context.task.account_write(*done);
  return static_cast<long>(*done);
}

Result<long> finish_read(Context& context, Result<std::size_t> done) {
  context.task.account_read(done ? *done : 0);
  if (!done) return error(done.error());
  return static_cast<long>(*done);
}

// For one that does not seek, an offset is an error.
Result<void> check_offset(const vfs::File& file, std::int64_t offset, std::size_t size = 0) {
  std::int64_t end;
  if (offset < 0 || __builtin_add_overflow(offset, size, &end)) return error(Errno::einval);
  if (!file.has_trait(vfs::File::has_position) && !file.has_trait(vfs::File::always_seek_zero))
    return error(Errno::espipe);
  return {};
}

}  // namespace

Result<long> sys_read(Context& context, FileDescriptor fd, UserAddress to, std::size_t size) {
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!core::is_user_range(to, size)) [[unlikely]]
    return error(file->can_read() ? Errno::efault : Errno::ebadf);
  IoBuffer buffer = IoBuffer::user(to, clamp(size));
  return finish_read(context, file->read(buffer));
}

Result<long> sys_write(Context& context, FileDescriptor fd, UserAddress from, std::size_t size) {
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!core::is_user_range(from, size)) [[unlikely]]
    return error(file->can_write() ? Errno::efault : Errno::ebadf);
  IoBuffer buffer = IoBuffer::user(from, clamp(size));
  return finish_write(context, file->write(buffer));
}

[[gnu::noinline]] Result<long> sys_pread64(Context& context, FileDescriptor fd, UserAddress to,
                                           std::size_t size, std::int64_t offset) {
  if (offset < 0) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  auto from = static_cast<std::uint64_t>(offset);
  if (std::size_t done = file->read_resident(to, size, from)) return finish_read(context, done);
  TRY(check_offset(*file, offset, clamp(size)));
  if (!core::is_user_range(to, size)) return error(Errno::efault);
  IoBuffer buffer = IoBuffer::user(to, clamp(size));
  return finish_read(context, file->positioned_read(buffer, from));
}

std::size_t quick_pread64(Context& context, FileDescriptor fd, UserAddress to, std::size_t size,
                          std::int64_t offset) {
  vfs::File* file = context.task.files->borrow(fd.number);
  if (!file) [[unlikely]]
    return 0;
  // A negative offset is behind the end of everything.
  std::size_t done = file->read_resident(to, size, static_cast<std::uint64_t>(offset));
  if (done) [[likely]]
    context.task.account_read(done);
  return done;
}

Result<long> sys_pwrite64(Context& context, FileDescriptor fd, UserAddress from, std::size_t size,
                          std::int64_t offset) {
  if (offset < 0) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  TRY(check_offset(*file, offset, clamp(size)));
  if (!core::is_user_range(from, size)) return error(Errno::efault);
  IoBuffer buffer = IoBuffer::user(from, clamp(size));
  return finish_write(context, file->positioned_write(buffer, static_cast<std::uint64_t>(offset)));
}

// The offset comes in two halves for the sake of 32-bit machines; the high one is not used here. -1 means the
// position.
Result<long> sys_preadv2(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                         std::int64_t offset, std::uint64_t, unsigned flags) {
  FileUse file = TRY(context.task.files->use(fd.number));
  vfs::IoFlags io_flags = TRY(checked_io_flags(*file, flags, Direction::read));
  if (offset != -1) TRY(check_offset(*file, offset));
  IoVectors segments;
  TRY(segments.read(vectors, count));
  IoBuffer buffer = IoBuffer::user(segments.span());
  if (offset == -1) return finish_read(context, file->read(buffer, io_flags));
  return finish_read(context, file->positioned_read(buffer, static_cast<std::uint64_t>(offset), io_flags));
}

Result<long> sys_pwritev2(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                          std::int64_t offset, std::uint64_t, unsigned flags) {
  FileUse file = TRY(context.task.files->use(fd.number));
  vfs::IoFlags io_flags = TRY(checked_io_flags(*file, flags, Direction::write));
  if (offset != -1) TRY(check_offset(*file, offset));
  IoVectors segments;
  TRY(segments.read(vectors, count));
  IoBuffer buffer = IoBuffer::user(segments.span());
  if (offset == -1) return finish_write(context, file->write(buffer, io_flags));
  return finish_write(context, file->positioned_write(buffer, static_cast<std::uint64_t>(offset), io_flags));
}

Result<long> sys_readv(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count) {
  return sys_preadv2(context, fd, vectors, count, -1, 0, 0);
}
Result<long> sys_writev(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count) {
  return sys_pwritev2(context, fd, vectors, count, -1, 0, 0);
}
Result<long> sys_preadv(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                        std::int64_t offset) {
  if (offset < 0) return error(Errno::einval);
  return sys_preadv2(context, fd, vectors, count, offset, 0, 0);
}
Result<long> sys_pwritev(Context& context, FileDescriptor fd, UserArray<Iovec> vectors, std::size_t count,
                         std::int64_t offset) {
  if (offset < 0) return error(Errno::einval);
  return sys_pwritev2(context, fd, vectors, count, offset, 0, 0);
}

Result<long> sys_lseek(Context& context, FileDescriptor fd, std::int64_t offset, unsigned whence) {
  FileUse file = TRY(context.task.files->use(fd.number));
  if (whence > static_cast<unsigned>(vfs::Whence::hole)) return error(Errno::einval);
  return static_cast<long>(TRY(file->seek(offset, static_cast<vfs::Whence>(whence))));
}

}  // namespace linux_abi
