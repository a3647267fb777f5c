// open(2), openat2(2): finding or creating the object, checks, and the file description.
#include "core/memory/slab.h"
#include "open_access.h"
#include "vfs/access_guard.h"
#include "vfs/file_system.h"
#include "vfs/notify.h"
#include "vfs/operations.h"
#include "vfs_internal.h"
#include "walk.h"

namespace vfs {

namespace {

// O_PATH: a place and nothing else.
class PathFile final : public File {
 public:
  PathFile() : File(path_only) {}
};

Access access_of(OpenFlags flags) {
  if (flags & open_for_execute) return access_execute;
  static constexpr Access by_mode[4] = {access_read, access_write, access_read | access_write,
                                        access_read | access_write};
  Access access = by_mode[flags & open_access_mask];
  if (flags & open_truncate) access |= access_write;
  return access;
}

// Everything open() may refuse for an object that exists.
Result<void> may_open(const Path& path, OpenFlags flags, const Credentials& credentials) {
  Inode& inode = path.inode();
  Access access = access_of(flags);
  switch (inode.mode() & mode_type_mask) {
    case mode_symlink:
      return error(Errno::eloop);
    case mode_directory:
      if (access & access_write) return error(Errno::eisdir);
      if (access & access_execute) return error(Errno::eacces);
      break;
    case mode_block:
    case mode_character:
      if (path.mount().has(mount_no_devices)) return error(Errno::eacces);
      [[fallthrough]];
    case mode_fifo:
    case mode_socket:
      if (access & access_execute) return error(Errno::eacces);
      break;
    case mode_regular:
      if ((access & access_execute) && path.mount().has(mount_no_execute)) return error(Errno::eacces);
      if (access & access_write) {
        if (path.mount().is_read_only()) return error(Errno::erofs);
        if (inode.has(Inode::immutable)) return error(Errno::eperm);
      }
      break;
    default:
      break;
  }
  TRY(check_permission(inode, credentials, access));
  if (inode.has(Inode::append_only)) {
    if ((access & access_write) && !(flags & open_append)) return error(Errno::eperm);
    if (flags & open_truncate) return error(Errno::eperm);
  }
  if ((flags & open_no_access_time) && inode.uid() != credentials.fsuid &&
      !credentials.can(Capability::fowner))
    return error(Errno::eperm);
  return {};
}

// With O_CREAT in a sticky directory others may write to: not into their FIFOs and files (fs.protected_*).
Result<void> may_create_in_sticky(const Inode& directory, const Inode& inode,
                                  const Credentials& credentials) {
  Mode mode = directory.mode();
  if (!(mode & mode_sticky) || inode.uid() == directory.uid() || inode.uid() == credentials.fsuid) return {};
  int level = is_fifo(inode.mode())      ? limits.protected_fifos.load(std::memory_order_relaxed)
              : is_regular(inode.mode()) ? limits.protected_regular.load(std::memory_order_relaxed)
                                         : 0;
  if (level == 0) return {};
  if ((mode & 02) || (level >= 2 && (mode & 020))) return error(Errno::eacces);
  return {};
}

GuardedAccess guarded_access_of(OpenFlags flags, Mode mode) {
  if (flags & open_for_execute) return guarded_execute;
  OpenFlags way = flags & open_access_mask;
  GuardedAccess access = 0;
  if (way == open_read_only || way == open_read_write)
    access |= is_directory(mode) ? guarded_read_directory : guarded_read_file;
  if (way == open_write_only || way == open_read_write) access |= guarded_write_file;
  return access;
}

enum class Created { no, yes };

Result<RefPtr<File>> finish_open(Path path, OpenFlags flags, RefPtr<const Credentials> credentials,
                                 Created created) {
  if (flags & open_path) {
    auto file = TRY(base::try_make_ref<PathFile>());
    file->attach(std::move(path), flags, std::move(credentials));
    return RefPtr<File>(std::move(file));
  }
  Inode& inode = path.inode();
  if (created == Created::no) TRY(may_open(path, flags, *credentials));
  TRY(guard_access(path, guarded_access_of(flags, inode.mode())));
  NotifyEvents kind = is_directory(inode.mode()) ? notify_is_directory : 0;
  bool tells = !(flags & open_without_notice), executes = flags & open_for_execute;
  if (tells) TRY(ask(path, inode, notify_may_open | (executes ? notify_may_execute : 0) | kind));
  OpenAccess access;
  TRY(access.acquire(path, flags));
  auto file = TRY(inode.open({path, flags, *credentials}));
  access.hand_over(*file);
  file->attach(std::move(path), flags, std::move(credentials));
  if ((flags & open_truncate) && created == Created::no && is_regular(inode.mode())) TRY(truncate(*file, 0));
  if (tells) notify(file->path(), inode, notify_open | (executes ? notify_open_execute : 0) | kind);
  return file;
}

// The opener's credentials are those of the caller; they are reference counted, and a const reference is
// enough to share.
RefPtr<const Credentials> share(const Credentials& credentials) {
  return RefPtr<const Credentials>(&credentials);
}

Result<Path> create_file(const Caller& caller, const Path& parent, std::string_view name, const OpenHow& how,
                         Created& created) {
  Inode& directory = parent.inode();
  created = Created::no;
  // Before the lock: dropping it may end a file system.
  MountWrite write;
  bool writable = static_cast<bool>(write.acquire(parent.mount()));
  core::WriteGuard guard{directory.lock()};
  auto entry = TRY(lookup_locked(parent.dentry(), name));
  Path path(parent.mount_reference(), entry);
  if (!entry->is_negative()) return path;
  if (!directory.file_system().missing_names_can_be_made()) return error(Errno::enoent);
  if (!writable) return error(Errno::erofs);
  if (directory.has(Inode::dead_directory)) return error(Errno::enoent);
  TRY(check_permission(directory, caller.credentials, access_write | access_execute));
  TRY(guard_access(parent, guarded_make_regular));
  auto inode = TRY(
      directory.create(*entry, new_inode(directory, caller, mode_regular | (how.mode & mode_permissions))));
  entry->instantiate(std::move(inode));
  if (!entry->has(Dentry::hashed)) entry->insert_in_cache();
  notify_entry(directory, notify_create, name);
  created = Created::yes;
  return path;
}

// A file that was made for an open that failed after that. Who gave it another name meanwhile keeps it.
void take_back(const Path& parent, const Path& created) {
  MountWrite write;
  if (!write.acquire(parent.mount())) return;
  Inode& directory = parent.inode();
  {
    core::WriteGuard guard{directory.lock()};
    Dentry& entry = created.dentry();
    Inode* inode = entry.inode();
    if (!inode || !entry.has(Dentry::hashed) || entry.parent_reference().get() != &parent.dentry()) return;
    core::WriteGuard victim_guard{inode->lock(), core::LockNesting::child};
    if (inode->link_count() != 1 || !directory.unlink(entry)) return;
    entry.removed();
  }
  notify_entry(directory, notify_delete, created.dentry().name());
}

Result<RefPtr<File>> open_creating(const Caller& caller, const Path* start, std::string_view path,
                                   const OpenHow& how, LookupFlags lookup) {
  bool follows = !(how.flags & (open_no_follow | open_exclusive));
  return with_walk(caller, lookup, [&](Walk& walk) -> Result<RefPtr<File>> {
    TRY(walk.run(start, path, Walk::Stop::at_parent));
    TRY(walk.leave_rcu());
    for (;;) {
      if (walk.last_kind() != ParentAndName::Kind::normal) {
        if (how.flags & open_exclusive) return error(Errno::eexist);
        if (is_directory(walk.inode().mode())) return error(Errno::eisdir);
        return finish_open(TRY(walk.take()), how.flags, share(caller.credentials), Created::no);
      }
      if (walk.trailing_slash()) return error(Errno::eisdir);
      Path parent{RefPtr<Mount>(&walk.mount()), RefPtr<Dentry>(&walk.dentry())};
      Created created;
      Path found = TRY(create_file(caller, parent, walk.last(), how, created));
      if (created == Created::yes) {
        auto file = finish_open(found, how.flags, share(caller.credentials), created);
        if (!file && file.error() == Errno::enomem) take_back(parent, found);
        return file;
      }
      if (how.flags & open_exclusive) return error(Errno::eexist);
      MountTree::cross(found);
      Inode& inode = found.inode();
      if (is_symlink(inode.mode())) {
        if (!follows) return error(Errno::eloop);
        TRY(walk.follow_last(found.dentry()));
        continue;
      }
      if (is_directory(inode.mode())) return error(Errno::eisdir);
      TRY(may_create_in_sticky(parent.inode(), inode, caller.credentials));
      return finish_open(std::move(found), how.flags, share(caller.credentials), Created::no);
    }
  });
}

Result<RefPtr<File>> open_temporary_file(const Caller& caller, const Path* start, std::string_view path,
                                         const OpenHow& how, LookupFlags lookup) {
  Path directory = TRY(resolve(caller, start, path, lookup | lookup_directory));
  MountWrite write;
  TRY(write.acquire(directory.mount()));
  Inode& inode = directory.inode();
  TRY(check_permission(inode, caller.credentials, access_write | access_execute));
  auto file =
      TRY(inode.create_temporary(new_inode(inode, caller, mode_regular | (how.mode & mode_permissions))));
  // A name for /proc/PID/fd: as if it had been removed right away.
  char text[24];
  base::TextBuffer name(text);
  base::format(name, "#{}", file->number());
  auto entry = TRY(Dentry::create(directory.dentry().file_system(), &directory.dentry(), name.view()));
  entry->instantiate(std::move(file));
  if (entry->has(Dentry::pinned)) DentryCache::drop_pin(*entry);
  OpenFlags flags = how.flags & ~open_temporary;
  return finish_open(Path(directory.mount_reference(), std::move(entry)), flags, share(caller.credentials),
                     Created::yes);
}

}  // namespace

Result<RefPtr<File>> open(const Caller& caller, const Path* start, std::string_view path,
                          const OpenHow& how_given) {
  if (path.empty()) return error(Errno::enoent);
  OpenHow how = how_given;
  LookupFlags lookup = how.resolve;
  if (how.flags & open_path) how.flags &= open_path | open_directory | open_no_follow | open_close_on_exec;
  if (how.flags & open_directory) lookup |= lookup_directory;
  if ((how.flags & open_temporary) == open_temporary) {
    if (!(access_of(how.flags) & access_write) || (how.flags & open_create)) return error(Errno::einval);
    return open_temporary_file(caller, start, path, how, lookup | lookup_follow);
  }
  if (how.flags & open_temporary_bit) return error(Errno::einval);
  if (how.flags & open_create) {
    if (how.flags & open_directory) return error(Errno::einval);
    return open_creating(caller, start, path, how,
                         lookup | (how.flags & open_exclusive ? 0u : lookup_follow));
  }
  if (!(how.flags & open_no_follow)) lookup |= lookup_follow;
  Path found = TRY(with_walk(caller, lookup, [&](Walk& walk) -> Result<Path> {
    TRY(walk.run(start, path, Walk::Stop::at_end));
    return walk.take();
  }));
  return finish_open(std::move(found), how.flags, share(caller.credentials), Created::no);
}

Result<RefPtr<File>> open_path_object(const Path& path, OpenFlags flags,
                                      RefPtr<const Credentials> credentials) {
  return finish_open(path, flags, std::move(credentials), Created::no);
}

}  // namespace vfs
