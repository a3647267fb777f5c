// open_tree(2), move_mount(2), mount_setattr(2)
#include "linux_abi/landlock.h"
#include "linux_abi/user_structure.h"
#include "syscalls/files/mount_context.h"
#include "syscalls/files/rows.h"
#include "vfs/mount.h"
#include "vfs/mount_sharing.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr unsigned open_tree_clone = 1, open_tree_cloexec = 02000000;
constexpr unsigned move_from_symlinks = 1, move_from_automounts = 2, move_from_empty = 4,
                   move_to_symlinks = 0x10, move_to_automounts = 0x20, move_to_empty = 0x40,
                   move_set_group = 0x100;
constexpr std::uint64_t ms_unbindable = 1 << 17, ms_private = 1 << 18, ms_slave = 1 << 19,
                        ms_shared = 1 << 20;

struct MountAttributes {
  std::uint64_t set = 0, clear = 0, propagation = 0, user_namespace = 0;
};

Result<vfs::Path> place_at(Context& context, int directory, UserString argument, vfs::LookupFlags lookup) {
  PathText text;
  std::string_view path = TRY(text.read(argument));
  PathStart start = TRY(PathStart::of(context, directory, path));
  return vfs::resolve(caller_of(context.task), start.path(), path, lookup);
}

Result<std::optional<vfs::Propagation>> propagation_of(std::uint64_t bits) {
  switch (bits) {
    case 0:
      return std::optional<vfs::Propagation>{};
    case ms_unbindable:
      return std::optional(vfs::Propagation::unbindable);
    case ms_private:
      return std::optional(vfs::Propagation::private_mount);
    case ms_slave:
      return std::optional(vfs::Propagation::slave);
    case ms_shared:
      return std::optional(vfs::Propagation::shared);
    default:
      return error(Errno::einval);
  }
}

Result<vfs::MountChange> change_of(const MountAttributes& wanted) {
  using namespace mount_attribute;
  vfs::MountChange change;
  change.propagation = TRY(propagation_of(wanted.propagation));
  // Ids are what they are: there are no mapped mounts.
  if ((wanted.set | wanted.clear) & ~(plain | time_mask)) return error(Errno::einval);
  change.set = plain_mount_flags(wanted.set);
  change.clear = plain_mount_flags(wanted.clear);
  if (wanted.clear & time_mask) {
    // The kinds of access times exclude each other: all go, one comes.
    if ((wanted.clear & time_mask) != time_mask) return error(Errno::einval);
    change.clear |= access_time_mask;
    change.set |= TRY(access_time_flags(wanted.set));
  } else if (wanted.set & time_mask) {
    return error(Errno::einval);
  }
  return change;
}

}  // namespace

Result<long> sys_open_tree(Context& context, int directory, UserString path, unsigned flags) {
  if (flags & ~(open_tree_clone | open_tree_cloexec | at_empty_path | at_no_automount | at_recursive |
                at_symlink_nofollow))
    return error(Errno::einval);
  if ((flags & (at_recursive | open_tree_clone)) == at_recursive) return error(Errno::einval);
  bool clones = flags & open_tree_clone;
  if (clones && !context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  vfs::LookupFlags lookup = flags & at_symlink_nofollow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & at_empty_path) lookup |= vfs::lookup_empty_allowed;
  vfs::Path place = TRY(place_at(context, directory, path, lookup));
  auto credentials = context.task.credentials_reference();
  RefPtr<vfs::File> file;
  if (clones) {
    auto recursion = flags & at_recursive ? vfs::Recursion::recursive : vfs::Recursion::single;
    auto copy = TRY(vfs::copy_mounts(caller_of(context.task), place, recursion));
    file = TRY(vfs::open_detached_mount(std::move(copy), std::move(credentials)));
  } else {
    file = TRY(vfs::open_path_object(place, vfs::open_path, std::move(credentials)));
  }
  return TRY(context.task.files->add(std::move(file),
                                     flags & open_tree_cloexec ? CloseOnExec::yes : CloseOnExec::no,
                                     descriptor_limit(context)));
}

Result<long> sys_move_mount(Context& context, int from_directory, UserString from_path, int to_directory,
                            UserString to_path, unsigned flags) {
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  TRY(may_change_mounts());
  if (flags & ~(move_from_symlinks | move_from_automounts | move_from_empty | move_to_symlinks |
                move_to_automounts | move_to_empty | move_set_group))
    return error(Errno::einval);
  auto lookup = [&](unsigned symlinks, unsigned empty) {
    vfs::LookupFlags result = flags & symlinks ? vfs::lookup_follow : vfs::lookup_default;
    return flags & empty ? result | vfs::lookup_empty_allowed : result;
  };
  vfs::Path to = TRY(place_at(context, to_directory, to_path, lookup(move_to_symlinks, move_to_empty)));
  vfs::Path from =
      TRY(place_at(context, from_directory, from_path, lookup(move_from_symlinks, move_from_empty)));
  if (flags & move_set_group)
    TRY(vfs::mount_set_group(caller_of(context.task), from, to));
  else
    TRY(vfs::mount_move(caller_of(context.task), from, to));
  return 0;
}

Result<long> sys_mount_setattr(Context& context, int directory, UserString path, unsigned flags,
                               UserAddress attributes, std::size_t size) {
  if (flags & ~(at_empty_path | at_recursive | at_symlink_nofollow | at_no_automount))
    return error(Errno::einval);
  if (size > core::page_size) return error(Errno::e2big);
  if (size < sizeof(MountAttributes)) return error(Errno::einval);
  if (!context.task.can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  auto wanted = TRY(read_extensible<MountAttributes>(attributes, size, sizeof(MountAttributes)));
  if (!wanted.set && !wanted.clear && !wanted.propagation) return 0;
  vfs::MountChange change = TRY(change_of(wanted));
  vfs::LookupFlags lookup = flags & at_symlink_nofollow ? vfs::lookup_default : vfs::lookup_follow;
  if (flags & at_empty_path) lookup |= vfs::lookup_empty_allowed;
  vfs::Path place = TRY(place_at(context, directory, path, lookup));
  TRY(vfs::mount_change(caller_of(context.task), place, change,
                        flags & at_recursive ? vfs::Recursion::recursive : vfs::Recursion::single));
  return 0;
}

}  // namespace linux_abi
