// mount(2), umount2(2), pivot_root(2)
#include "linux_abi/landlock.h"
#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr std::uint64_t ms_rdonly = 1, ms_nosuid = 2, ms_nodev = 4, ms_noexec = 8, ms_remount = 32,
                        ms_nosymfollow = 256, ms_noatime = 1024, ms_nodiratime = 2048, ms_bind = 4096,
                        ms_move = 8192, ms_rec = 16384, ms_silent = 32768, ms_unbindable = 1 << 17,
                        ms_private = 1 << 18, ms_slave = 1 << 19, ms_shared = 1 << 20,
                        ms_strictatime = 1 << 24;
constexpr std::uint64_t magic_mask = 0xffff0000, magic = 0xc0ed0000;

vfs::MountFlags to_mount_flags(std::uint64_t flags) {
  vfs::MountFlags result = 0;
  auto take = [&](std::uint64_t bit, vfs::MountFlags flag) {
    if (flags & bit) result |= flag;
  };
  take(ms_rdonly, vfs::mount_read_only);
  take(ms_nosuid, vfs::mount_no_set_uid);
  take(ms_nodev, vfs::mount_no_devices);
  take(ms_noexec, vfs::mount_no_execute);
  take(ms_noatime, vfs::mount_no_access_time);
  take(ms_nodiratime, vfs::mount_no_directory_access_time);
  take(ms_nosymfollow, vfs::mount_no_symlink_follow);
  // relatime is the default; strictatime and noatime replace it.
  if (!(flags & (ms_noatime | ms_strictatime))) result |= vfs::mount_relative_access_time;
  return result;
}

// An optional string argument; what is there must be readable.
Result<base::String> optional_text(UserString from, std::size_t limit) {
  if (from.is_null()) return base::String{};
  auto text = from.read(limit);
  if (!text && text.error() == Errno::enametoolong) return error(Errno::einval);
  return text;
}

}  // namespace

Result<long> sys_mount(Context& context, UserString source_argument, UserString target_argument,
                       UserString type_argument, std::uint64_t flags, UserString data_argument) {
  vfs::Caller caller = caller_of(context.task);
  base::String type = TRY(optional_text(type_argument, core::page_size));
  base::String source = TRY(optional_text(source_argument, path_max));
  base::String data = TRY(optional_text(data_argument, core::page_size));
  PathText text;
  std::string_view target_text = TRY(text.read(target_argument));
  vfs::Path target = TRY(vfs::resolve(caller, nullptr, target_text, vfs::lookup_follow));
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  TRY(may_change_mounts());
  if ((flags & magic_mask) == magic) flags &= ~magic_mask;
  auto recursion = flags & ms_rec ? vfs::Recursion::recursive : vfs::Recursion::single;
  bool read_only = flags & ms_rdonly;

  if ((flags & (ms_remount | ms_bind)) == (ms_remount | ms_bind)) {
    TRY(vfs::mount_change_flags(caller, target, to_mount_flags(flags)));
  } else if (flags & ms_remount) {
    TRY(vfs::mount_remount(caller, target, to_mount_flags(flags), read_only, data));
  } else if (flags & ms_bind) {
    if (source.empty()) return error(Errno::einval);
    vfs::Path from = TRY(vfs::resolve(caller, nullptr, source, vfs::lookup_follow));
    TRY(vfs::mount_bind(caller, from, target, recursion));
  } else if (flags & (ms_shared | ms_private | ms_slave | ms_unbindable)) {
    std::uint64_t kind = flags & (ms_shared | ms_private | ms_slave | ms_unbindable);
    if ((kind & (kind - 1)) || (flags & ~(kind | ms_rec | ms_silent))) return error(Errno::einval);
    auto propagation = kind == ms_shared    ? vfs::Propagation::shared
                       : kind == ms_private ? vfs::Propagation::private_mount
                       : kind == ms_slave   ? vfs::Propagation::slave
                                            : vfs::Propagation::unbindable;
    TRY(vfs::mount_set_propagation(caller, target, propagation, recursion));
  } else if (flags & ms_move) {
    if (source.empty()) return error(Errno::einval);
    vfs::Path from = TRY(vfs::resolve(caller, nullptr, source, vfs::lookup_follow));
    TRY(vfs::mount_move(caller, from, target));
  } else {
    if (type.empty()) return error(Errno::einval);
    TRY(vfs::mount_new(caller, source, target, type, to_mount_flags(flags), read_only, data));
  }
  return 0;
}

Result<long> sys_umount2(Context& context, UserString target_argument, unsigned flags) {
  constexpr unsigned known =
      vfs::unmount_force | vfs::unmount_detach | vfs::unmount_expire | vfs::unmount_no_follow;
  if (flags & ~known) return error(Errno::einval);
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  TRY(may_change_mounts());
  vfs::Caller caller = caller_of(context.task);
  PathText text;
  std::string_view path = TRY(text.read(target_argument));
  vfs::LookupFlags lookup = flags & vfs::unmount_no_follow ? vfs::lookup_default : vfs::lookup_follow;
  TRY(vfs::unmount(caller, TRY(vfs::resolve(caller, nullptr, path, lookup)), flags));
  return 0;
}

Result<long> sys_pivot_root(Context& context, UserString new_argument, UserString old_argument) {
  vfs::Caller caller = caller_of(context.task);
  PathText new_text, old_text;
  constexpr vfs::LookupFlags lookup = vfs::lookup_follow | vfs::lookup_directory;
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  TRY(may_change_mounts());
  vfs::Path new_root = TRY(vfs::resolve(caller, nullptr, TRY(new_text.read(new_argument)), lookup));
  vfs::Path put_old = TRY(vfs::resolve(caller, nullptr, TRY(old_text.read(old_argument)), lookup));
  TRY(vfs::pivot_root(caller, new_root, put_old));
  return 0;
}

}  // namespace linux_abi
