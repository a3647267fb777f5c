// mkdir(2), rmdir(2), unlink(2), link(2), symlink(2), readlink(2), rename(2), mknod(2) and their *at() forms
#include "syscalls/files/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

Result<long> sys_mkdirat(Context& context, int directory, UserString path_argument, unsigned mode) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  TRY(vfs::make_directory(caller_of(context.task), start.path(), path, mode & 07777));
  return 0;
}
Result<long> sys_mkdir(Context& context, UserString path, unsigned mode) {
  return sys_mkdirat(context, at_fdcwd, path, mode);
}

Result<long> sys_mknodat(Context& context, int directory, UserString path_argument, unsigned mode,
                         std::uint32_t device) {
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  if (!(mode & s_ifmt)) mode |= s_ifreg;
  TRY(vfs::make_node(caller_of(context.task), start.path(), path, mode, vfs::DeviceNumber::decode(device)));
  return 0;
}
Result<long> sys_mknod(Context& context, UserString path, unsigned mode, std::uint32_t device) {
  return sys_mknodat(context, at_fdcwd, path, mode, device);
}

Result<long> sys_unlinkat(Context& context, int directory, UserString path_argument, unsigned flags) {
  if (flags & ~at_removedir) return error(Errno::einval);
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  if (flags & at_removedir)
    TRY(vfs::remove_directory(caller_of(context.task), start.path(), path));
  else
    TRY(vfs::unlink(caller_of(context.task), start.path(), path));
  return 0;
}
Result<long> sys_unlink(Context& context, UserString path) {
  return sys_unlinkat(context, at_fdcwd, path, 0);
}
Result<long> sys_rmdir(Context& context, UserString path) {
  return sys_unlinkat(context, at_fdcwd, path, at_removedir);
}

Result<long> sys_linkat(Context& context, int old_directory, UserString old_argument, int new_directory,
                        UserString new_argument, unsigned flags) {
  if (flags & ~(at_symlink_follow | at_empty_path)) return error(Errno::einval);
  PathText old_text, new_text;
  std::string_view old_path = TRY(old_text.read(old_argument)), new_path = TRY(new_text.read(new_argument));
  // Linking what one only holds a descriptor of would get around the permissions of the path to it.
  if ((flags & at_empty_path) && old_path.empty() && !context.task.can(vfs::Capability::dac_read_search))
    return error(Errno::enoent);
  PathStart old_start = TRY(PathStart::of(context, old_directory, old_path));
  PathStart new_start = TRY(PathStart::of(context, new_directory, new_path));
  vfs::LookupFlags lookup = flags & at_symlink_follow ? vfs::lookup_follow : vfs::lookup_default;
  if (flags & at_empty_path) lookup |= vfs::lookup_empty_allowed;
  TRY(vfs::link(caller_of(context.task), old_start.path(), old_path, new_start.path(), new_path, lookup));
  return 0;
}
Result<long> sys_link(Context& context, UserString old_path, UserString new_path) {
  return sys_linkat(context, at_fdcwd, old_path, at_fdcwd, new_path, 0);
}

Result<long> sys_symlinkat(Context& context, UserString target_argument, int directory,
                           UserString path_argument) {
  PathText target_text, text;
  std::string_view target = TRY(target_text.read(target_argument)), path = TRY(text.read(path_argument));
  if (target.empty()) return error(Errno::enoent);
  PathStart start = TRY(PathStart::of(context, directory, path));
  TRY(vfs::make_symlink(caller_of(context.task), target, start.path(), path));
  return 0;
}
Result<long> sys_symlink(Context& context, UserString target, UserString path) {
  return sys_symlinkat(context, target, at_fdcwd, path);
}

Result<long> sys_readlinkat(Context& context, int directory, UserString path_argument, UserBuffer out,
                            int size) {
  if (size <= 0) return error(Errno::einval);
  PathText text;
  std::string_view path = TRY(text.read(path_argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  base::String target = TRY(vfs::read_link(caller_of(context.task), start.path(), path));
  std::size_t length =
      target.size() < static_cast<std::size_t>(size) ? target.size() : static_cast<std::size_t>(size);
  TRY(out.write(std::as_bytes(std::span(target.view().data(), length))));
  return static_cast<long>(length);
}
Result<long> sys_readlink(Context& context, UserString path, UserBuffer out, int size) {
  return sys_readlinkat(context, at_fdcwd, path, out, size);
}

Result<long> sys_renameat2(Context& context, int old_directory, UserString old_argument, int new_directory,
                           UserString new_argument, unsigned flags) {
  if (flags & ~(rename_noreplace | rename_exchange | rename_whiteout)) return error(Errno::einval);
  if ((flags & (rename_noreplace | rename_whiteout)) && (flags & rename_exchange))
    return error(Errno::einval);
  PathText old_text, new_text;
  std::string_view old_path = TRY(old_text.read(old_argument)), new_path = TRY(new_text.read(new_argument));
  PathStart old_start = TRY(PathStart::of(context, old_directory, old_path));
  PathStart new_start = TRY(PathStart::of(context, new_directory, new_path));
  TRY(vfs::rename(caller_of(context.task), old_start.path(), old_path, new_start.path(), new_path, flags));
  return 0;
}
Result<long> sys_renameat(Context& context, int old_directory, UserString old_path, int new_directory,
                          UserString new_path) {
  return sys_renameat2(context, old_directory, old_path, new_directory, new_path, 0);
}
Result<long> sys_rename(Context& context, UserString old_path, UserString new_path) {
  return sys_renameat2(context, at_fdcwd, old_path, at_fdcwd, new_path, 0);
}

}  // namespace linux_abi
