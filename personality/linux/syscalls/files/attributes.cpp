// chmod(2), chown(2), utimensat(2), truncate(2) and their relatives
#include "core/time/clock.h"
#include "syscalls/files/rows.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

Result<vfs::Path> path_at(Context& context, int directory, UserString path_argument, unsigned flags) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  vfs::LookupFlags lookup = flags & at_symlink_nofollow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & at_empty_path) lookup |= vfs::lookup_empty_allowed;
  return vfs::resolve(caller_of(context.task), start.path(), path, lookup);
}

}  // namespace

Result<long> sys_fchmodat2(Context& context, int directory, UserString path, unsigned mode, unsigned flags) {
  if (flags & ~(at_symlink_nofollow | at_empty_path)) return error(Errno::einval);
  TRY(vfs::change_mode(caller_of(context.task), TRY(path_at(context, directory, path, flags)), mode & 07777));
  return 0;
}
Result<long> sys_fchmodat(Context& context, int directory, UserString path, unsigned mode) {
  return sys_fchmodat2(context, directory, path, mode, 0);
}
Result<long> sys_chmod(Context& context, UserString path, unsigned mode) {
  return sys_fchmodat2(context, at_fdcwd, path, mode, 0);
}
Result<long> sys_fchmod(Context& context, FileDescriptor fd, unsigned mode) {
  FileUse file = TRY(context.task.files->use(fd.number));
  TRY(vfs::change_mode(caller_of(context.task), file->path(), mode & 07777));
  return 0;
}

Result<long> sys_fchownat(Context& context, int directory, UserString path, std::uint32_t uid,
                          std::uint32_t gid, unsigned flags) {
  if (flags & ~(at_symlink_nofollow | at_empty_path)) return error(Errno::einval);
  TRY(vfs::change_owner(caller_of(context.task), TRY(path_at(context, directory, path, flags)), uid, gid));
  return 0;
}
Result<long> sys_chown(Context& context, UserString path, std::uint32_t uid, std::uint32_t gid) {
  return sys_fchownat(context, at_fdcwd, path, uid, gid, 0);
}
Result<long> sys_lchown(Context& context, UserString path, std::uint32_t uid, std::uint32_t gid) {
  return sys_fchownat(context, at_fdcwd, path, uid, gid, at_symlink_nofollow);
}
Result<long> sys_fchown(Context& context, FileDescriptor fd, std::uint32_t uid, std::uint32_t gid) {
  FileUse file = TRY(context.task.files->use(fd.number));
  TRY(vfs::change_owner(caller_of(context.task), file->path(), uid, gid));
  return 0;
}

namespace {

Result<vfs::TimeChange> to_change(const Timespec& time) {
  if (time.nanoseconds == utime_now) return vfs::TimeChange{vfs::TimeChange::Kind::now, {}};
  if (time.nanoseconds == utime_omit) return vfs::TimeChange{vfs::TimeChange::Kind::omit, {}};
  if (time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000) return error(Errno::einval);
  return vfs::TimeChange{vfs::TimeChange::Kind::set,
                         {time.seconds, static_cast<std::uint32_t>(time.nanoseconds)}};
}

struct Times {
  vfs::TimeChange access, modify;
};

Result<long> set_times(Context& context, int directory, UserString path, unsigned flags, const Times& times) {
  // A null path means the descriptor itself.
  if (path.is_null() && directory != at_fdcwd) {
    if (flags) return error(Errno::einval);
    FileUse file = TRY(context.task.files->use(directory));
    TRY(vfs::change_times(caller_of(context.task), file->path(), times.access, times.modify));
    return 0;
  }
  TRY(vfs::change_times(caller_of(context.task), TRY(path_at(context, directory, path, flags)), times.access,
                        times.modify));
  return 0;
}

Result<long> set_timevals(Context& context, int directory, UserString path, UserArray<Timeval> in) {
  Times times;
  if (in) {
    Timeval values[2];
    TRY(in.read(values));
    for (const Timeval& value : values)
      if (value.microseconds < 0 || value.microseconds >= 1'000'000) return error(Errno::einval);
    times.access = TRY(to_change({values[0].seconds, values[0].microseconds * 1000}));
    times.modify = TRY(to_change({values[1].seconds, values[1].microseconds * 1000}));
  }
  return set_times(context, directory, path, 0, times);
}

}  // namespace

Result<long> sys_utimensat(Context& context, int directory, UserString path, UserArray<Timespec> in,
                           unsigned flags) {
  if (flags & ~(at_symlink_nofollow | at_empty_path)) return error(Errno::einval);
  Times times;
  if (in) {
    Timespec values[2];
    TRY(in.read(values));
    times.access = TRY(to_change(values[0]));
    times.modify = TRY(to_change(values[1]));
    if (times.access.kind == vfs::TimeChange::Kind::omit && times.modify.kind == vfs::TimeChange::Kind::omit)
      return 0;
  }
  return set_times(context, directory, path, flags, times);
}
Result<long> sys_futimesat(Context& context, int directory, UserString path, UserArray<Timeval> in) {
  return set_timevals(context, directory, path, in);
}
Result<long> sys_utimes(Context& context, UserString path, UserArray<Timeval> in) {
  return set_timevals(context, at_fdcwd, path, in);
}
Result<long> sys_utime(Context& context, UserString path, UserIn<Utimbuf> in) {
  Times times;
  if (in) {
    Utimbuf value = TRY(in.read());
    times.access = TRY(to_change({value.access_seconds, 0}));
    times.modify = TRY(to_change({value.modification_seconds, 0}));
  }
  return set_times(context, at_fdcwd, path, 0, times);
}

namespace {

// RLIMIT_FSIZE: the signal and the error.
Result<void> check_file_size(Context& context, std::uint64_t size) {
  if (size <= context.process.limit_current(Resource::fsize)) return {};
  (void)send_signal(context.task, SigInfo(signal::xfsz, si::user));
  return error(Errno::efbig);
}

}  // namespace

Result<long> sys_truncate(Context& context, UserString path, std::int64_t size) {
  if (size < 0) return error(Errno::einval);
  vfs::Path target = TRY(path_at(context, at_fdcwd, path, 0));
  TRY(check_file_size(context, static_cast<std::uint64_t>(size)));
  TRY(vfs::truncate(caller_of(context.task), target, static_cast<std::uint64_t>(size)));
  return 0;
}
Result<long> sys_ftruncate(Context& context, FileDescriptor fd, std::int64_t size) {
  if (size < 0) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!vfs::is_regular(file->inode().mode()) || !file->can_write()) return error(Errno::einval);
  TRY(check_file_size(context, static_cast<std::uint64_t>(size)));
  TRY(vfs::truncate(*file, static_cast<std::uint64_t>(size)));
  return 0;
}
Result<long> sys_fallocate(Context& context, FileDescriptor fd, int mode, std::int64_t offset,
                           std::int64_t length) {
  if (offset < 0 || length <= 0) return error(Errno::einval);
  FileUse file = TRY(context.task.files->use(fd.number));
  if (!base::checked_add(offset, length)) return error(Errno::efbig);
  TRY(vfs::allocate(*file, mode, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(length)));
  return 0;
}

}  // namespace linux_abi
