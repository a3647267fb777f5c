// rename(2), renameat2(2).
#include <optional>

#include "open_access.h"
#include "vfs/access_guard.h"
#include "vfs/file_system.h"
#include "vfs/notify.h"
#include "vfs/operations.h"
#include "vfs_internal.h"
#include "walk.h"

namespace vfs {

namespace {

// Both directories exclusively: one lock if they are the same, else the ancestor first, else by address. Two
// different ones only under the file system's rename mutex, so that their relation cannot change.
class DirectoryPair {
 public:
  DirectoryPair(Dentry& a, Dentry& b) {
    if (&a == &b) {
      first_.emplace(a.inode()->lock());
      return;
    }
    mutex_.emplace(a.file_system().rename_mutex());
    bool b_first = is_dentry_below(a, b) || (!is_dentry_below(b, a) && &b < &a);
    first_.emplace((b_first ? b : a).inode()->lock());
    second_.emplace((b_first ? a : b).inode()->lock(), core::LockNesting::child);
  }

 private:
  std::optional<core::MutexGuard> mutex_;
  std::optional<core::WriteGuard> first_, second_;
};

// The inodes that are moved or replaced: files by address, after all directories.
class InodePair {
 public:
  InodePair(Inode& a, Inode* b) {
    if (b == &a) b = nullptr;
    Inode* low = b && b < &a ? b : &a;
    Inode* high = low == &a ? b : &a;
    first_.emplace(low->lock(), core::LockNesting::grandchild);
    if (high) second_.emplace(high->lock(), core::LockNesting::great_grandchild);
  }

 private:
  std::optional<core::WriteGuard> first_, second_;
};

struct NameOwner {
  DentryName* name = nullptr;
  ~NameOwner() {
    if (name) DentryCache::free_name(name);
  }
};

struct Rename {
  const Caller& caller;
  ParentAndName& old_place;
  ParentAndName& new_place;
  unsigned flags;
  RefPtr<Dentry> source, target;
  RefPtr<Inode> moved, replaced;

  Result<void> check() {
    Inode& old_directory = old_place.parent.inode();
    Inode& new_directory = new_place.parent.inode();
    if (source->is_negative()) return error(Errno::enoent);
    bool exchange = flags & rename_exchange;
    if (!target->is_negative() && (flags & rename_no_replace)) return error(Errno::eexist);
    if (target->is_negative() && exchange) return error(Errno::enoent);
    moved = RefPtr<Inode>(source->inode());
    replaced = RefPtr<Inode>(target->inode());
    bool moves_directory = is_directory(moved->mode());
    if (!moves_directory && (old_place.trailing_slash || (!exchange && new_place.trailing_slash)))
      return error(Errno::enotdir);
    if (exchange && new_place.trailing_slash && !is_directory(replaced->mode())) return error(Errno::enotdir);
    if (is_dentry_below(new_place.parent.dentry(), *source)) return error(Errno::einval);
    if (is_dentry_below(old_place.parent.dentry(), *target))
      return error(exchange ? Errno::einval : Errno::enotempty);
    const Credentials& credentials = caller.credentials;
    TRY(may_delete(old_directory, *source, credentials, VictimKind::any));
    if (replaced) {
      VictimKind wanted = exchange          ? VictimKind::any
                          : moves_directory ? VictimKind::directory
                                            : VictimKind::not_directory;
      if (moved == replaced) return {};
      TRY(may_delete(new_directory, *target, credentials, wanted));
    } else {
      if (new_directory.has(Inode::dead_directory)) return error(Errno::enoent);
      TRY(check_permission(new_directory, credentials, access_write | access_execute));
    }
    // A directory that changes its parent is written to: its "..".
    if (&old_directory != &new_directory) {
      if (moves_directory) TRY(check_permission(*moved, credentials, access_write));
      if (exchange && is_directory(replaced->mode()))
        TRY(check_permission(*replaced, credentials, access_write));
    }
    if (source->has(Dentry::mount_point) || target->has(Dentry::mount_point)) return error(Errno::ebusy);
    return {};
  }

  Result<void> perform() {
    NameOwner name_for_source{TRY(DentryCache::try_make_name(target->name()))}, name_for_target;
    RenameKind kind = RenameKind::replace;
    if (flags & rename_exchange) {
      name_for_target.name = TRY(DentryCache::try_make_name(source->name()));
      kind = RenameKind::exchange;
    } else if (flags & rename_whiteout) {
      kind = RenameKind::whiteout;
    }
    InodePair lock_inodes(*moved, replaced.get());
    TRY(old_place.parent.inode().rename(*source, new_place.parent.inode(), *target, kind));
    if (kind == RenameKind::exchange) {
      DentryCache::exchange(*source, *target, std::exchange(name_for_source.name, nullptr),
                            std::exchange(name_for_target.name, nullptr));
      return {};
    }
    DentryCache::move(*source, *target, std::exchange(name_for_source.name, nullptr));
    if (replaced) {
      if (is_directory(replaced->mode())) {
        replaced->set_flag(Inode::dead_directory);
        DentryCache::drop_tree(*target);
      }
      DentryCache::drop_pin(*target);
    }
    return {};
  }
};

Result<void> guard_rename(const Rename& rename) {
  auto removing = [](const Inode& inode) {
    return is_directory(inode.mode()) ? guarded_remove_directory : guarded_remove_file;
  };
  const Path &from = rename.old_place.parent, &to = rename.new_place.parent;
  GuardedAccess in_from = removing(*rename.moved), in_to = guarded_making(rename.moved->mode());
  if (rename.replaced) {
    in_to |= removing(*rename.replaced);
    if (rename.flags & rename_exchange) in_from |= guarded_making(rename.replaced->mode());
  }
  return from == to ? guard_access(to, in_from | in_to) : guard_refer(from, in_from, to, in_to);
}

void notify_rename(Rename& rename) {
  static constinit std::atomic<std::uint32_t> next_cookie{1};
  std::uint32_t cookie = next_cookie.fetch_add(1, std::memory_order_relaxed);
  NotifyEvents bit = is_directory(rename.moved->mode()) ? notify_is_directory : 0;
  notify_entry(rename.old_place.parent.inode(), notify_moved_from | bit, rename.old_place.name, cookie);
  notify_entry(rename.new_place.parent.inode(), notify_moved_to | bit, rename.new_place.name, cookie);
  notify_own(*rename.moved, notify_move_self | bit);
  if (!rename.replaced || (rename.flags & rename_exchange)) return;
  notify_own(*rename.replaced, notify_attributes);  // the link count
  if (is_directory(rename.replaced->mode()) || rename.replaced->link_count() == 0)
    notify_gone(*rename.replaced, notify_delete_self);
}

}  // namespace

Result<void> rename(const Caller& caller, const Path* old_start, std::string_view old_path,
                    const Path* new_start, std::string_view new_path, unsigned flags) {
  if (flags & ~(rename_no_replace | rename_exchange | rename_whiteout)) return error(Errno::einval);
  if ((flags & (rename_no_replace | rename_whiteout)) && (flags & rename_exchange))
    return error(Errno::einval);
  if ((flags & rename_whiteout) && !caller.credentials.can(Capability::mknod)) return error(Errno::eperm);
  auto old_place = TRY(resolve_parent(caller, old_start, old_path, lookup_default));
  auto new_place = TRY(resolve_parent(caller, new_start, new_path, lookup_default));
  if (&old_place.parent.mount() != &new_place.parent.mount()) return error(Errno::exdev);
  if (old_place.kind != ParentAndName::Kind::normal) return error(Errno::ebusy);
  if (new_place.kind != ParentAndName::Kind::normal)
    return error(flags & rename_no_replace ? Errno::eexist : Errno::ebusy);
  MountWrite write;
  TRY(write.acquire(old_place.parent.mount()));
  Rename operation{caller, old_place, new_place, flags, {}, {}, {}, {}};
  {
    DirectoryPair directories(old_place.parent.dentry(), new_place.parent.dentry());
    operation.source = TRY(lookup_locked(old_place.parent.dentry(), old_place.name));
    operation.target = TRY(lookup_locked(new_place.parent.dentry(), new_place.name));
    TRY(operation.check());
    if (operation.moved == operation.replaced) return {};  // two names of one file: nothing happens
    TRY(guard_rename(operation));
    TRY(operation.perform());
  }
  notify_rename(operation);
  return {};
}

}  // namespace vfs
