// sync(2), syncfs(2), fsync(2), fdatasync(2), sync_file_range(2), posix_fadvise(2), readahead(2)
#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {
constexpr std::uint64_t whole = ~std::uint64_t{0} >> 1;
}

Result<long> sys_sync(Context&) {
  vfs::sync_all();
  return 0;
}

Result<long> sys_syncfs(Context& context, FileDescriptor fd) {
  FileUse file = TRY(context.task.files->use(fd.number));
  TRY(file->inode().file_system().sync());
  return 0;
}

Result<long> sys_fsync(Context& context, FileDescriptor fd) {
  TRY(TRY(context.task.files->use(fd.number))->sync(0, whole, false));
  return 0;
}

Result<long> sys_fdatasync(Context& context, FileDescriptor fd) {
  TRY(TRY(context.task.files->use(fd.number))->sync(0, whole, true));
  return 0;
}

Result<long> sys_sync_file_range(Context& context, FileDescriptor fd, std::int64_t offset,
                                 std::int64_t length, unsigned flags) {
  auto after = base::checked_add(offset, length);
  if (flags & ~7u || offset < 0 || length < 0 || !after) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  vfs::Mode mode = file->inode().mode();
  if (!vfs::is_regular(mode) && !vfs::is_block(mode) && !vfs::is_directory(mode) && !vfs::is_symlink(mode))
    return error(Errno::espipe);
  std::uint64_t end = length ? static_cast<std::uint64_t>(*after - 1) : whole;
  if (flags) TRY(file->sync(static_cast<std::uint64_t>(offset), end, true));
  return 0;
}

Result<long> sys_fadvise64(Context& context, FileDescriptor fd, std::int64_t offset, std::int64_t length,
                           int advice) {
  FileUse file = TRY(context.task.files->use(fd.number));
  if (file->has_trait(vfs::File::pipe_file)) return error(Errno::espipe);
  if (length < 0 || advice < 0 || advice > 5) return error(Errno::einval);
  // Advice may be ignored: everything is in memory already.
  (void)offset;
  return 0;
}

Result<long> sys_readahead(Context& context, FileDescriptor fd, std::int64_t offset, std::size_t count) {
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!file->can_read()) return error(Errno::ebadf);
  if (!vfs::is_regular(file->inode().mode()) && !vfs::is_block(file->inode().mode()))
    return error(Errno::einval);
  if (core::MemoryObject* pages = file->inode().memory_object())
    pages->read_ahead(static_cast<std::uint64_t>(offset) / core::page_size, count / core::page_size + 1);
  return 0;
}

}  // namespace linux_abi
