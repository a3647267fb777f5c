// Making and removing names: mkdir, mknod, symlink, link, unlink, rmdir.
#include "open_access.h"
#include "vfs/access_guard.h"
#include "vfs/access_list.h"
#include "vfs/file_system.h"
#include "vfs/notify.h"
#include "vfs/operations.h"
#include "vfs_internal.h"
#include "walk.h"

namespace vfs {

NewInode new_inode(const Inode& directory, const Caller& caller, Mode mode, DeviceNumber device) {
  NewInode result;
  if (!is_symlink(mode) && !directory.has(has_default_list)) mode &= ~caller.context.umask();
  result.uid = caller.credentials.fsuid;
  result.gid = caller.credentials.fsgid;
  result.device = device;
  if (directory.mode() & mode_set_gid) {
    result.gid = directory.gid();
    if (is_directory(mode)) {
      mode |= mode_set_gid;
    } else if ((mode & (mode_set_gid | 010)) == (mode_set_gid | 010) &&
               !caller.credentials.in_group(result.gid) && !caller.credentials.can(Capability::fsetid)) {
      mode &= ~mode_set_gid;
    }
  }
  result.mode = mode;
  return result;
}

namespace {

Result<void> may_create(const Inode& directory, const Credentials& credentials) {
  if (directory.has(Inode::dead_directory)) return error(Errno::enoent);
  if (directory.has(Inode::immutable)) return error(Errno::eperm);
  return check_permission(directory, credentials, access_write | access_execute);
}

}  // namespace

Result<void> may_delete(const Inode& directory, const Dentry& victim, const Credentials& credentials,
                        VictimKind wanted) {
  const Inode& inode = *victim.inode();
  TRY(check_permission(directory, credentials, access_write | access_execute));
  if (directory.has(Inode::append_only) || directory.has(Inode::immutable)) return error(Errno::eperm);
  if ((directory.mode() & mode_sticky) && inode.uid() != credentials.fsuid &&
      directory.uid() != credentials.fsuid && !credentials.can(Capability::fowner))
    return error(Errno::eperm);
  if (inode.has(Inode::append_only) || inode.has(Inode::immutable) || inode.has(Inode::swap_file))
    return error(Errno::eperm);
  if (wanted == VictimKind::directory) {
    if (!is_directory(inode.mode())) return error(Errno::enotdir);
    if (victim.is_root()) return error(Errno::ebusy);
  } else if (wanted == VictimKind::not_directory && is_directory(inode.mode())) {
    return error(Errno::eisdir);
  }
  if (directory.has(Inode::dead_directory)) return error(Errno::enoent);
  return {};
}

namespace {

enum class TrailingSlash { allowed, refused };

// Resolves to a directory and a new name in it, and calls `make(directory, entry)` with everything checked
// and locked. `make` gives the new inode.
template <typename Make>
Result<Path> create_entry(const Caller& caller, const Path* start, std::string_view path, TrailingSlash slash,
                          Errno exists, const Mount* wanted_mount, Mode type, Make&& make) {
  auto place = TRY(resolve_parent(caller, start, path, lookup_default));
  if (place.kind != ParentAndName::Kind::normal) return error(exists);
  Mount& mount = place.parent.mount();
  if (wanted_mount && wanted_mount != &mount) return error(Errno::exdev);
  Inode& directory = place.parent.inode();
  MountWrite write;
  auto writable = write.acquire(mount);
  RefPtr<Dentry> entry;
  {
    core::WriteGuard guard{directory.lock()};
    entry = TRY(lookup_locked(place.parent.dentry(), place.name));
    if (!entry->is_negative()) return error(exists);
    if (!directory.file_system().missing_names_can_be_made()) return error(Errno::enoent);
    if (place.trailing_slash && slash == TrailingSlash::refused) return error(Errno::enoent);
    if (!writable) return error(writable.error());
    TRY(may_create(directory, caller.credentials));
    // What gets a second name is asked for by link().
    if (type) TRY(guard_access(place.parent, guarded_making(type)));
    RefPtr<Inode> inode = TRY(make(directory, *entry));
    entry->instantiate(std::move(inode));
    if (!entry->has(Dentry::hashed)) entry->insert_in_cache();
  }
  notify_entry(directory, notify_create | (is_directory(entry->inode()->mode()) ? notify_is_directory : 0),
               place.name);
  return Path(place.parent.mount_reference(), std::move(entry));
}

}  // namespace

Result<void> make_directory(const Caller& caller, const Path* start, std::string_view path, Mode mode) {
  TRY(create_entry(caller, start, path, TrailingSlash::allowed, Errno::eexist, nullptr, mode_directory,
                   [&](Inode& directory, Dentry& entry) {
                     Mode allowed = mode & (0777 | mode_sticky);
                     return directory.make_directory(entry,
                                                     new_inode(directory, caller, mode_directory | allowed));
                   }));
  return {};
}

Result<void> make_node(const Caller& caller, const Path* start, std::string_view path, Mode mode,
                       DeviceNumber device) {
  if (!(mode & mode_type_mask)) mode |= mode_regular;
  if (is_directory(mode)) return error(Errno::eperm);
  if (!is_regular(mode) && !is_character(mode) && !is_block(mode) && !is_fifo(mode) && !is_socket(mode))
    return error(Errno::einval);
  bool is_device = is_character(mode) || is_block(mode);
  // A character device 0:0 is a whiteout, which everybody may make.
  bool is_whiteout = is_character(mode) && device == DeviceNumber{};
  if (is_device && !is_whiteout && !caller.credentials.can(Capability::mknod)) return error(Errno::eperm);
  TRY(create_entry(caller, start, path, TrailingSlash::refused, Errno::eexist, nullptr, mode,
                   [&](Inode& directory, Dentry& entry) {
                     NewInode properties =
                         new_inode(directory, caller, mode, is_device ? device : DeviceNumber{});
                     return is_regular(mode) ? directory.create(entry, properties)
                                             : directory.make_node(entry, properties);
                   }));
  return {};
}

Result<Path> make_socket_node(const Caller& caller, const Path* start, std::string_view path, Mode mode) {
  return create_entry(caller, start, path, TrailingSlash::refused, Errno::eaddrinuse, nullptr, mode_socket,
                      [&](Inode& directory, Dentry& entry) {
                        Mode full = mode_socket | (mode & mode_permissions);
                        return directory.make_node(entry, new_inode(directory, caller, full));
                      });
}

Result<void> make_symlink(const Caller& caller, std::string_view target, const Path* start,
                          std::string_view path) {
  if (target.empty()) return error(Errno::enoent);
  if (target.size() >= path_max) return error(Errno::enametoolong);
  TRY(create_entry(caller, start, path, TrailingSlash::refused, Errno::eexist, nullptr, mode_symlink,
                   [&](Inode& directory, Dentry& entry) {
                     return directory.make_symlink(entry, target,
                                                   new_inode(directory, caller, mode_symlink | 0777));
                   }));
  return {};
}

namespace {
// fs.protected_hardlinks: to files of others only where one could write to them anyway.
Result<void> may_link(const Inode& inode, const Credentials& credentials) {
  if (inode.has(Inode::append_only) || inode.has(Inode::immutable)) return error(Errno::eperm);
  if (!limits.protected_hardlinks.load(std::memory_order_relaxed)) return {};
  if (inode.uid() == credentials.fsuid || credentials.can(Capability::fowner)) return {};
  Mode mode = inode.mode();
  bool safe = is_regular(mode) && !(mode & mode_set_uid) &&
              (mode & (mode_set_gid | 010)) != (mode_set_gid | 010) &&
              check_permission(inode, credentials, access_read | access_write);
  return safe ? Result<void>() : Result<void>(error(Errno::eperm));
}
}  // namespace

namespace {
Result<void> guard_link(const Path& old, Dentry& entry) {
  GuardedAccess making = guarded_making(old.inode().mode());
  Path from(old.mount_reference(), old.dentry().parent_reference());
  Path to(old.mount_reference(), entry.parent_reference());
  return from == to ? guard_access(to, making) : guard_refer(from, 0, to, making);
}
}  // namespace

Result<void> link(const Caller& caller, const Path* old_start, std::string_view old_path,
                  const Path* new_start, std::string_view new_path, LookupFlags old_flags) {
  Path old = TRY(resolve(caller, old_start, old_path, old_flags));
  Inode& inode = old.inode();
  TRY(create_entry(caller, new_start, new_path, TrailingSlash::refused, Errno::eexist, &old.mount(), 0,
                   [&](Inode& directory, Dentry& entry) -> Result<RefPtr<Inode>> {
                     TRY(may_link(inode, caller.credentials));
                     if (is_directory(inode.mode())) return error(Errno::eperm);
                     TRY(guard_link(old, entry));
                     core::WriteGuard guard{inode.lock(), core::LockNesting::child};
                     if (inode.link_count() == 0 && !inode.has(Inode::linkable)) return error(Errno::enoent);
                     TRY(directory.link(inode, entry));
                     inode.clear_flag(Inode::linkable);
                     return RefPtr<Inode>(&inode);
                   }));
  notify(old, inode, notify_attributes);
  return {};
}

namespace {

template <typename Remove>
Result<void> remove_entry(const Caller& caller, const ParentAndName& place, VictimKind kind,
                          Remove&& remove) {
  Inode& directory = place.parent.inode();
  MountWrite write;
  TRY(write.acquire(place.parent.mount()));
  RefPtr<Dentry> entry;  // dropped after the lock: its end may free a large file
  RefPtr<Inode> inode;
  {
    core::WriteGuard guard{directory.lock()};
    entry = TRY(lookup_locked(place.parent.dentry(), place.name));
    if (entry->is_negative()) return error(Errno::enoent);
    inode = RefPtr<Inode>(entry->inode());
    if (place.trailing_slash && !is_directory(inode->mode())) return error(Errno::enotdir);
    TRY(may_delete(directory, *entry, caller.credentials, kind));
    TRY(guard_access(place.parent,
                     is_directory(inode->mode()) ? guarded_remove_directory : guarded_remove_file));
    core::WriteGuard victim_guard{inode->lock(), core::LockNesting::child};
    if (entry->has(Dentry::mount_point)) return error(Errno::ebusy);
    TRY(remove(directory, *entry));
    if (kind == VictimKind::directory) {
      inode->set_flag(Inode::dead_directory);
      // Names that are known not to be in it hold the dentry, and with it the inode, until memory is wanted.
      DentryCache::drop_tree(*entry);
    }
    entry->removed();
  }
  NotifyEvents directory_bit = kind == VictimKind::directory ? notify_is_directory : 0;
  notify_entry(directory, notify_delete | directory_bit, place.name);
  if (!directory_bit) notify_own(*inode, notify_attributes);  // the link count
  if (directory_bit || inode->link_count() == 0) notify_gone(*inode, notify_delete_self | directory_bit);
  return {};
}

}  // namespace

Result<void> unlink(const Caller& caller, const Path* start, std::string_view path) {
  auto place = TRY(resolve_parent(caller, start, path, lookup_default));
  if (place.kind != ParentAndName::Kind::normal) return error(Errno::eisdir);
  return remove_entry(caller, place, VictimKind::not_directory,
                      [](Inode& directory, Dentry& entry) { return directory.unlink(entry); });
}

Result<void> remove_directory(const Caller& caller, const Path* start, std::string_view path) {
  auto place = TRY(resolve_parent(caller, start, path, lookup_default));
  switch (place.kind) {
    case ParentAndName::Kind::dot:
      return error(Errno::einval);
    case ParentAndName::Kind::dot_dot:
      return error(Errno::enotempty);
    case ParentAndName::Kind::root:
      return error(Errno::ebusy);
    case ParentAndName::Kind::normal:
      break;
  }
  return remove_entry(caller, place, VictimKind::directory,
                      [](Inode& directory, Dentry& entry) { return directory.remove_directory(entry); });
}

Result<base::String> read_link(const Caller& caller, const Path* start, std::string_view path) {
  Path found = TRY(resolve(caller, start, path, lookup_empty_allowed));
  Inode& inode = found.inode();
  if (!is_symlink(inode.mode())) return error(path.empty() ? Errno::enoent : Errno::einval);
  return inode.read_link(caller.credentials);
}

}  // namespace vfs
