// stat(2), fstat(2), lstat(2), newfstatat(2), statx(2), statfs(2), access(2)
#include "arch/linux_abi.h"
#include "syscalls/files/mount_context.h"
#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

arch::LinuxStat to_stat(const vfs::Attributes& from) {
  arch::LinuxStat to;
  to.device = from.device.encoded();
  to.inode = from.inode_number;
  to.link_count = from.link_count;
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.special_device = from.special_device.encoded();
  to.size = static_cast<std::int64_t>(from.size);
  to.block_size = from.block_size;
  to.blocks = static_cast<std::int64_t>(from.blocks_512);
  to.access_seconds = static_cast<std::uint64_t>(from.access_time.seconds);
  to.access_nanoseconds = from.access_time.nanoseconds;
  to.modify_seconds = static_cast<std::uint64_t>(from.modify_time.seconds);
  to.modify_nanoseconds = from.modify_time.nanoseconds;
  to.change_seconds = static_cast<std::uint64_t>(from.change_time.seconds);
  to.change_nanoseconds = from.change_time.nanoseconds;
  return to;
}

StatxTimestamp to_statx_time(const vfs::Timestamp& time) { return {time.seconds, time.nanoseconds, 0}; }

Statx to_statx(const vfs::Attributes& from) {
  Statx to;
  to.mask = from.result_mask;
  to.block_size = from.block_size;
  to.attributes = from.attributes;
  to.attributes_mask = from.attributes_mask;
  to.links = from.link_count;
  to.uid = from.uid;
  to.gid = from.gid;
  to.mode = static_cast<std::uint16_t>(from.mode);
  to.inode = from.inode_number;
  to.size = from.size;
  to.blocks = from.blocks_512;
  to.access_time = to_statx_time(from.access_time);
  to.birth_time = to_statx_time(from.birth_time);
  to.change_time = to_statx_time(from.change_time);
  to.modification_time = to_statx_time(from.modify_time);
  to.rdev_major = from.special_device.major;
  to.rdev_minor = from.special_device.minor;
  to.dev_major = from.device.major;
  to.dev_minor = from.device.minor;
  to.mount_id = from.mount_id;
  return to;
}

Result<vfs::Attributes> attributes_at(Context& context, int directory, UserString path_argument,
                                      unsigned flags) {
  vfs::Attributes attributes;
  PathText text;
  // With AT_EMPTY_PATH a null path means an empty one (Linux 6.11).
  std::string_view path;
  if (!path_argument.is_null() || !(flags & at_empty_path)) path = TRY(text.read(path_argument));
  if (path.empty() && (flags & at_empty_path) && directory != at_fdcwd) {
    FileUse file = TRY(context.task.files->use_any(directory));
    TRY(vfs::stat(*file, attributes));
    return attributes;
  }
  PathStart start = TRY(PathStart::of(context, directory, path));
  vfs::LookupFlags lookup = flags & at_symlink_nofollow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & at_empty_path) lookup |= vfs::lookup_empty_allowed;
  if (flags & at_no_automount) lookup |= vfs::lookup_no_automount;
  TRY(vfs::stat(caller_of(context.task), start.path(), path, lookup, attributes));
  return attributes;
}

}  // namespace

Result<long> sys_fstat(Context& context, FileDescriptor fd, UserOut<arch::LinuxStat> out) {
  FileUse file = TRY(context.task.files->use_any(fd.number));
  vfs::Attributes attributes;
  TRY(vfs::stat(*file, attributes));
  TRY(out.write(to_stat(attributes)));
  return 0;
}

Result<long> sys_newfstatat(Context& context, int directory, UserString path, UserOut<arch::LinuxStat> out,
                            unsigned flags) {
  if (flags & ~(at_symlink_nofollow | at_no_automount | at_empty_path)) return error(Errno::einval);
  TRY(out.write(to_stat(TRY(attributes_at(context, directory, path, flags)))));
  return 0;
}
Result<long> sys_stat(Context& context, UserString path, UserOut<arch::LinuxStat> out) {
  return sys_newfstatat(context, at_fdcwd, path, out, 0);
}
Result<long> sys_lstat(Context& context, UserString path, UserOut<arch::LinuxStat> out) {
  return sys_newfstatat(context, at_fdcwd, path, out, at_symlink_nofollow);
}

Result<long> sys_statx(Context& context, int directory, UserString path, unsigned flags, std::uint32_t mask,
                       UserOut<Statx> out) {
  if (mask & statx_reserved) return error(Errno::einval);
  if ((flags & at_statx_sync_type) == at_statx_sync_type) return error(Errno::einval);
  if (flags & ~(at_symlink_nofollow | at_no_automount | at_empty_path | at_statx_sync_type))
    return error(Errno::einval);
  auto attributes = TRY(attributes_at(context, directory, path, flags));
  Statx found = to_statx(attributes);
  if (found.mount_id) found.mask |= mask & statx_mnt_id_unique ? statx_mnt_id_unique : statx_mnt_id;
  if (found.mask & statx_mnt_id_unique) found.mount_id += unique_mount_offset;
  if ((mask & statx_dioalign) && attributes.direct_offset_alignment) {
    found.mask |= statx_dioalign;
    found.dio_memory_align = attributes.direct_memory_alignment;
    found.dio_offset_align = attributes.direct_offset_alignment;
  }
  TRY(out.write(found));
  return 0;
}

namespace {

Result<long> write_statistics(const vfs::Path& path, UserOut<Statfs> out) {
  vfs::FileSystemStatistics from;
  TRY(vfs::statistics(path, from));
  Statfs to;
  to.type = static_cast<std::int64_t>(from.magic);
  to.block_size = static_cast<std::int64_t>(from.block_size);
  to.blocks = from.blocks;
  to.blocks_free = from.blocks_free;
  to.blocks_available = from.blocks_available;
  to.files = from.inodes;
  to.files_free = from.inodes_free;
  to.id[0] = static_cast<std::int32_t>(from.id);
  to.id[1] = static_cast<std::int32_t>(from.id >> 32);
  to.name_length = static_cast<std::int64_t>(from.name_length);
  to.fragment_size = static_cast<std::int64_t>(from.fragment_size ? from.fragment_size : from.block_size);
  constexpr std::int64_t flags_valid = 0x20;
  to.flags = static_cast<std::int64_t>(from.flags) | flags_valid;
  TRY(out.write(to));
  return 0;
}

}  // namespace

Result<long> sys_statfs(Context& context, UserString path_argument, UserOut<Statfs> out) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  return write_statistics(TRY(vfs::resolve(caller_of(context.task), nullptr, path, vfs::lookup_follow)), out);
}

Result<long> sys_fstatfs(Context& context, FileDescriptor fd, UserOut<Statfs> out) {
  return write_statistics(TRY(context.task.files->use_any(fd.number))->path(), out);
}

Result<long> sys_faccessat2(Context& context, int directory, UserString path_argument, unsigned mode,
                            unsigned flags) {
  if (mode & ~(r_ok | w_ok | x_ok)) return error(Errno::einval);
  if (flags & ~(at_eaccess | at_symlink_nofollow | at_empty_path)) return error(Errno::einval);
  Task& task = context.task;
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  vfs::LookupFlags lookup = flags & at_symlink_nofollow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & at_empty_path) lookup |= vfs::lookup_empty_allowed;
  const vfs::Credentials& own = task.credentials();
  RefPtr<vfs::Credentials> real;
  // access(2) asks for the real user: with his ids, and his capabilities only if he is root.
  if (!(flags & at_eaccess) && (own.fsuid != own.uid || own.fsgid != own.gid || own.uid != 0)) {
    real = TRY(own.try_clone());
    real->fsuid = real->uid;
    real->fsgid = real->gid;
    real->effective = real->uid == 0 ? real->permitted : vfs::CapabilitySet{};
  }
  vfs::Caller caller{*task.file_system, real ? *real : own};
  TRY(vfs::access(caller, start.path(), path, mode, lookup));
  return 0;
}
Result<long> sys_faccessat(Context& context, int directory, UserString path, unsigned mode) {
  return sys_faccessat2(context, directory, path, mode, 0);
}
Result<long> sys_access(Context& context, UserString path, unsigned mode) {
  return sys_faccessat2(context, at_fdcwd, path, mode, 0);
}

}  // namespace linux_abi
