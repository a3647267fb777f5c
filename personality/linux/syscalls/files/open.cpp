// open(2), openat(2), creat(2), openat2(2), close(2), close_range(2)
#include "linux_abi/open_flags.h"
#include "linux_abi/user_structure.h"
#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr unsigned known_flags = 037777703;

Result<long> open_at(Context& context, int directory, UserString path_argument, vfs::OpenHow how) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  // With RESOLVE_IN_ROOT an absolute path begins at the directory too.
  bool in_root = how.resolve & vfs::lookup_in_root;
  PathStart start = TRY(PathStart::of(context, directory, in_root ? "." : path));
  // O_PATH looks at nothing but these.
  if (how.flags & vfs::open_path)
    how.flags &= vfs::open_path | vfs::open_directory | vfs::open_no_follow | vfs::open_close_on_exec;
  auto close_on_exec = how.flags & vfs::open_close_on_exec ? CloseOnExec::yes : CloseOnExec::no;
  auto descriptor = TRY(context.task.files->reserve(close_on_exec, descriptor_limit(context)));
  auto file = TRY(vfs::open(caller_of(context.task), start.path(), path, how));
  int number = descriptor.number();
  descriptor.publish(std::move(file));
  return number;
}

}  // namespace

Result<long> sys_openat(Context& context, int directory, UserString path, unsigned flags, unsigned mode) {
  vfs::OpenHow how;
  how.flags = to_open_flags(flags & known_flags) | vfs::open_large_file;
  if (how.flags & (vfs::open_create | vfs::open_temporary_bit)) how.mode = mode & 07777;
  if ((how.flags & vfs::open_temporary_bit) && !(how.flags & vfs::open_path)) {
    // O_TMPFILE is two bits, so that old kernels see O_DIRECTORY; it makes sense for writing only.
    if (!(how.flags & vfs::open_directory) || !(how.flags & vfs::open_access_mask))
      return error(Errno::einval);
  }
  return open_at(context, directory, path, how);
}

Result<long> sys_open(Context& context, UserString path, unsigned flags, unsigned mode) {
  return sys_openat(context, at_fdcwd, path, flags, mode);
}

Result<long> sys_creat(Context& context, UserString path, unsigned mode) {
  return sys_openat(context, at_fdcwd, path, o_creat | o_wronly | o_trunc, mode);
}

Result<long> sys_openat2(Context& context, int directory, UserString path, UserAddress how_address,
                         std::size_t size) {
  auto wanted = TRY(read_extensible<OpenHow>(how_address, size, sizeof(OpenHow)));
  constexpr std::uint64_t known_resolve = resolve_no_xdev | resolve_no_magiclinks | resolve_no_symlinks |
                                          resolve_beneath | resolve_in_root | resolve_cached;
  if (wanted.flags & ~std::uint64_t{known_flags} || wanted.resolve & ~known_resolve)
    return error(Errno::einval);
  if ((wanted.resolve & resolve_beneath) && (wanted.resolve & resolve_in_root)) return error(Errno::einval);
  vfs::OpenHow how;
  how.flags = to_open_flags(static_cast<unsigned>(wanted.flags));
  if (!(how.flags & vfs::open_path)) how.flags |= vfs::open_large_file;
  bool creates = how.flags & (vfs::open_create | vfs::open_temporary_bit);
  if (creates ? (wanted.mode & ~std::uint64_t{07777}) != 0 : wanted.mode != 0) return error(Errno::einval);
  if (how.flags & vfs::open_path) {
    constexpr vfs::OpenFlags allowed =
        vfs::open_path | vfs::open_directory | vfs::open_no_follow | vfs::open_close_on_exec;
    if (how.flags & ~allowed) return error(Errno::einval);
  }
  if ((how.flags & vfs::open_temporary_bit) &&
      (!(how.flags & vfs::open_directory) || !(how.flags & vfs::open_access_mask)))
    return error(Errno::einval);
  how.mode = static_cast<vfs::Mode>(wanted.mode);
  auto take = [&](std::uint64_t bit, vfs::LookupFlags flag) {
    if (wanted.resolve & bit) how.resolve |= flag;
  };
  take(resolve_no_xdev, vfs::lookup_no_mount_crossing);
  take(resolve_no_magiclinks, vfs::lookup_no_magic_links);
  take(resolve_no_symlinks, vfs::lookup_no_symlinks);
  take(resolve_beneath, vfs::lookup_beneath);
  take(resolve_in_root, vfs::lookup_in_root);
  take(resolve_cached, vfs::lookup_cached);
  if ((wanted.resolve & resolve_cached) &&
      (how.flags & (vfs::open_truncate | vfs::open_create | vfs::open_temporary_bit)))
    return error(Errno::eagain);
  return open_at(context, directory, path, how);
}

Result<long> sys_close(Context& context, FileDescriptor fd) {
  auto file = TRY(context.task.files->remove(fd.number));
  auto closed = close_file(*context.task.files, std::move(file));
  if (!closed) {
    // The descriptor is gone whatever happened: the program must not try again.
    bool restarts = closed.error() == Errno::eintr || closed.error() == Errno::restart_always;
    return error(restarts ? Errno::interrupted_finally : closed.error());
  }
  return 0;
}

Result<long> sys_close_range(Context& context, unsigned first, unsigned last, unsigned flags) {
  if (flags & ~(close_range_unshare | close_range_cloexec) || first > last) return error(Errno::einval);
  Task& task = context.task;
  if ((flags & close_range_unshare) && task.files->reference_count() > 1) {
    // What would be closed in the copy need not be copied.
    bool closes = !(flags & close_range_cloexec);
    task.set_files(TRY(closes ? task.files->try_clone(first, last) : task.files->try_clone()));
  }
  if (flags & close_range_cloexec)
    task.files->mark_close_on_exec(first, last);
  else
    task.files->close_range(first, last);
  return 0;
}

}  // namespace linux_abi
