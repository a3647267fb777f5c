// mount(2), umount2(2), pivot_root(2), chroot(2), chdir(2), getcwd(2), sync(2).
#include "mount_groups.h"
#include "mount_tree.h"
#include "vfs/mount_sharing.h"
#include "vfs/notify.h"
#include "vfs/operations.h"
#include "vfs/root_mount.h"
#include "vfs_internal.h"
#include "walk.h"

namespace vfs {

namespace {

Result<void> may_mount(const Caller& caller) {
  return caller.credentials.can(Capability::sys_admin) ? Result<void>() : Result<void>(error(Errno::eperm));
}

// To a place and to the places that follow it.
Result<void> spread_locked(RefPtr<Mount>& mount, const Path& target, MountSpread& spread,
                           std::size_t already_counted) {
  auto prepared = spread.prepare_locked(*mount, target, already_counted);
  if (!prepared) {
    spread.cancel_locked();
    return prepared;
  }
  spread.commit_locked(std::move(mount), target);
  return {};
}

// A mount goes on top of what is already there, on a directory if its root is one, on a file otherwise.
Result<void> attach(RefPtr<Mount> mount, const Path& given) {
  MountSpread spread;
  core::MutexGuard guard{mount_mutex()};
  Path target = given;
  MountTree::cross(target);
  if (target.dentry().is_negative() || target.inode().has(Inode::dead_directory)) return error(Errno::enoent);
  if (!target.dentry().is_root() && !target.dentry().has(Dentry::hashed)) return error(Errno::enoent);
  if (is_directory(target.inode().mode()) != is_directory(mount->root().inode()->mode()))
    return error(Errno::enotdir);
  if (!target.mount().mount_namespace()) return error(Errno::einval);
  return spread_locked(mount, target, spread, 0);
}

bool is_detached(const Mount& mount) {
  core::MutexGuard guard{mount_mutex()};
  return !mount.parent() && !mount.mount_namespace();
}

bool is_mount_root(const Path& path) { return &path.dentry() == &path.mount().root(); }

}  // namespace

Result<RefPtr<FileSystem>> make_file_system(const Caller& caller, const FileSystemType& type,
                                            std::string_view source, std::string_view data, bool read_only) {
  MountOptions options{source, data, read_only, &caller};
  auto file_system = TRY(type.mount(options));
  if (read_only) file_system->set_read_only(true);
  return file_system;
}

Result<void> mount_new(const Caller& caller, std::string_view source, const Path& target,
                       std::string_view type_name, MountFlags flags, bool file_system_read_only,
                       std::string_view data) {
  TRY(may_mount(caller));
  const FileSystemType* type = find_file_system(type_name);
  if (!type) return error(Errno::enodev);
  auto file_system = TRY(make_file_system(caller, *type, source, data, file_system_read_only));
  RefPtr<Dentry> root = file_system->root();
  auto mount =
      TRY(Mount::create(std::move(file_system), std::move(root), source.empty() ? "none" : source, flags));
  return attach(std::move(mount), target);
}

Result<void> mount_kernel(const FileSystemType& type, const MountOptions& options, const Path& target,
                          MountFlags flags) {
  return mount_root_device(type, options, target, flags, options.source);
}

Result<void> mount_root_device(const FileSystemType& type, const MountOptions& options, const Path& target,
                               MountFlags flags, std::string_view shown_source) {
  auto file_system = TRY(type.mount(options));
  if (options.read_only) file_system->set_read_only(true);
  RefPtr<Dentry> root = file_system->root();
  auto mount = TRY(Mount::create(std::move(file_system), std::move(root), shown_source, flags));
  return attach(std::move(mount), target);
}

Result<RefPtr<Mount>> copy_mounts(const Caller& caller, const Path& source, Recursion recursion) {
  TRY(may_mount(caller));
  core::MutexGuard guard{mount_mutex()};
  if (!source.mount().mount_namespace()) return error(Errno::einval);
  if (MountNode::of(source.mount()).is_unbindable()) return error(Errno::einval);
  return recursion == Recursion::recursive
             ? MountTree::clone_tree_locked(source.mount(), source.dentry_reference())
             : MountTree::clone_locked(source.mount(), source.dentry_reference());
}

Result<void> mount_bind(const Caller& caller, const Path& source, const Path& target, Recursion recursion) {
  RefPtr<Mount> copy = TRY(copy_mounts(caller, source, recursion));
  auto result = attach(copy, target);
  if (!result) dissolve_detached_mounts(*copy);
  return result;
}

Result<void> mount_move(const Caller& caller, const Path& source, const Path& given_target) {
  TRY(may_mount(caller));
  if (!is_mount_root(source)) return error(Errno::einval);
  if (is_directory(given_target.inode().mode()) != is_directory(source.inode().mode()))
    return error(Errno::einval);
  if (is_detached(source.mount())) return attach(source.mount_reference(), given_target);
  MountSpread spread;
  RefPtr<Mount> old_parent;
  RefPtr<Dentry> old_point;
  core::MutexGuard guard{mount_mutex()};
  Path target = given_target;
  MountTree::cross(target);
  Mount& mount = source.mount();
  if (!mount.parent() || !mount.mount_namespace() || !target.mount().mount_namespace())
    return error(Errno::einval);
  if (MountNode::of(*mount.parent()).is_shared()) return error(Errno::einval);
  if (MountTree::is_below_locked(target.mount(), mount)) return error(Errno::eloop);
  auto prepared = spread.prepare_locked(mount, target, MountTree::tree_size_locked(mount));
  if (!prepared) {
    spread.cancel_locked();
    return prepared;
  }
  RefPtr<Mount> reference = MountTree::detach_locked(mount);
  MountTree::keep_place(mount, old_parent, old_point);
  spread.commit_locked(std::move(reference), target);
  return {};
}

Result<void> mount_set_group(const Caller& caller, const Path& from, const Path& to) {
  TRY(may_mount(caller));
  if (!is_mount_root(from) || !is_mount_root(to)) return error(Errno::einval);
  core::MutexGuard guard{mount_mutex()};
  auto &model = MountNode::of(from.mount()), &mount = MountNode::of(to.mount());
  if (!model.mount_namespace() || !mount.mount_namespace()) return error(Errno::einval);
  if (&model.file_system() != &mount.file_system()) return error(Errno::einval);
  if (!is_dentry_below(mount.root(), model.root())) return error(Errno::einval);
  if (mount.is_shared() || mount.master) return error(Errno::einval);
  if (!model.is_shared() && !model.master) return error(Errno::einval);
  MountGroups::adopt_locked(mount, model);
  MountTree::changed_locked(mount.mount_namespace());
  return {};
}

Result<void> mount_change_flags(const Caller& caller, const Path& target, MountFlags flags) {
  TRY(may_mount(caller));
  if (!is_mount_root(target)) return error(Errno::einval);
  core::MutexGuard guard{mount_mutex()};
  Mount& mount = target.mount();
  MountFlags old = mount.flags();
  MountTree::set_flags_locked(mount, flags);
  if ((flags & mount_read_only) && !(old & mount_read_only) && MountTree::has_writers(mount)) {
    MountTree::set_flags_locked(mount, old);
    return error(Errno::ebusy);
  }
  MountTree::changed_locked(mount.mount_namespace());
  return {};
}

Result<void> reconfigure_file_system(const Caller& caller, FileSystem& file_system, bool read_only,
                                     std::string_view data) {
  TRY(may_mount(caller));
  bool was_read_only = file_system.is_read_only();
  if (read_only && !was_read_only) {
    core::MutexGuard guard{mount_mutex()};
    // seq_cst in acquire_write(): either it sees the flag or we see the writer.
    file_system.set_read_only(true);
    bool busy = false;
    initial_mount_namespace().for_each_locked([&](Mount& mount) {
      if (&mount.file_system() == &file_system && MountTree::has_writers(mount)) busy = true;
    });
    if (busy) {
      file_system.set_read_only(false);
      return error(Errno::ebusy);
    }
  }
  auto result = file_system.remount(data, read_only);
  if (!result) file_system.set_read_only(was_read_only);
  return result;
}

Result<void> mount_remount(const Caller& caller, const Path& target, MountFlags flags, bool read_only,
                           std::string_view data) {
  TRY(may_mount(caller));
  if (!is_mount_root(target)) return error(Errno::einval);
  TRY(reconfigure_file_system(caller, target.mount().file_system(), read_only, data));
  core::MutexGuard guard{mount_mutex()};
  MountTree::set_flags_locked(target.mount(), flags);
  MountTree::changed_locked(target.mount().mount_namespace());
  return {};
}

Result<void> mount_set_propagation(const Caller& caller, const Path& target, Propagation kind,
                                   Recursion recursion) {
  TRY(may_mount(caller));
  if (!is_mount_root(target)) return error(Errno::einval);
  core::MutexGuard guard{mount_mutex()};
  if (recursion == Recursion::recursive)
    MountTree::for_each_below_locked(target.mount(),
                                     [&](Mount& mount) { MountGroups::set_locked(mount, kind); });
  else
    MountGroups::set_locked(target.mount(), kind);
  MountTree::changed_locked(target.mount().mount_namespace());
  return {};
}

Result<void> unmount(const Caller& caller, const Path& target, unsigned flags) {
  if (flags & ~(unmount_force | unmount_detach | unmount_expire | unmount_no_follow))
    return error(Errno::einval);
  TRY(may_mount(caller));
  if ((flags & unmount_expire) && (flags & (unmount_force | unmount_detach))) return error(Errno::einval);
  if (!is_mount_root(target)) return error(Errno::einval);
  MountRemoval removal;
  core::MutexGuard guard{mount_mutex()};
  Mount& mount = target.mount();
  if (!mount.mount_namespace()) return error(Errno::einval);
  if (!mount.parent()) return error(flags & unmount_detach ? Errno::einval : Errno::ebusy);  // the root
  if (!(flags & unmount_detach)) {
    // The tree's reference and the caller's path are expected; anything else is a user.
    if (TRY(MountRemoval::is_busy_locked(mount, 2))) return error(Errno::ebusy);
    if ((flags & unmount_expire) && !MountTree::mark_expiry_locked(mount)) return error(Errno::eagain);
  }
  TRY(removal.prepare_locked(mount));
  removal.commit_locked();
  return {};
}

Result<void> pivot_root(const Caller& caller, const Path& new_root, const Path& put_old) {
  TRY(may_mount(caller));
  RefPtr<Mount> old_parent;
  RefPtr<Dentry> old_point;
  Path old_root = caller.context.root();
  {
    core::MutexGuard guard{mount_mutex()};
    Mount& root_mount = old_root.mount();
    Mount& new_mount = new_root.mount();
    if (!is_mount_root(new_root) || !is_mount_root(old_root)) return error(Errno::einval);
    if (!new_mount.mount_namespace() || new_mount.mount_namespace() != root_mount.mount_namespace())
      return error(Errno::einval);
    if (&new_mount == &root_mount || &put_old.mount() == &root_mount) return error(Errno::ebusy);
    if (MountNode::of(put_old.mount()).is_shared() ||
        (new_mount.parent() && MountNode::of(*new_mount.parent()).is_shared()))
      return error(Errno::einval);
    // The root file system itself cannot be pivoted away from: it has no place to come back to. Only where
    // the current root is a mount with a parent, or the top of the namespace over which something else was
    // mounted.
    if (!new_mount.parent() || root_mount.parent()) return error(Errno::einval);
    if (MountTree::is_rootfs(root_mount)) return error(Errno::einval);
    if (!MountTree::is_below_locked(put_old.mount(), new_mount)) return error(Errno::einval);
    MountTree::pivot_locked(new_mount, put_old, old_parent, old_point);
  }
  for_each_context([&](FileSystemContext& context) { context.replace(old_root, new_root); });
  return {};
}

Result<void> change_directory(const Caller& caller, const Path& path) {
  if (!is_directory(path.inode().mode())) return error(Errno::enotdir);
  TRY(check_permission(path.inode(), caller.credentials, access_execute));
  caller.context.set_current_directory(path);
  return {};
}

Result<void> change_root(const Caller& caller, const Path& path) {
  if (!is_directory(path.inode().mode())) return error(Errno::enotdir);
  TRY(check_permission(path.inode(), caller.credentials, access_execute));
  if (!caller.credentials.can(Capability::sys_chroot)) return error(Errno::eperm);
  caller.context.set_root(path);
  return {};
}

Result<std::string_view> current_directory_text(const Caller& caller, std::span<char> memory) {
  Path root = caller.context.root(), directory = caller.context.current_directory();
  if (!directory.dentry().is_root() && !directory.dentry().has(Dentry::hashed)) return error(Errno::enoent);
  auto text = path_text(directory, &root, memory);
  if (!text && text.error() == Errno::enametoolong && memory.size() < path_max) return error(Errno::erange);
  return text;
}

namespace {
constinit std::atomic<void (*)()> sync_devices{nullptr};
}
void set_sync_devices_hook(void (*hook)()) { sync_devices.store(hook, std::memory_order_release); }

void sync_all() {
  // One at a time, without the mutex while one works.
  base::Vector<RefPtr<Mount>> mounts;
  initial_mount_namespace().for_each(
      [&](Mount& mount) { (void)mounts.try_push_back(RefPtr<Mount>(&mount)); });
  for (auto& mount : mounts) (void)mount->file_system().sync();
  if (auto* hook = sync_devices.load(std::memory_order_acquire)) hook();
}

}  // namespace vfs
