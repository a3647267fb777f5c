// Mounts that are in no tree yet, and changes of the attributes of whole trees: what the calls of the new
// mount interface need.
#include "mount_groups.h"
#include "mount_tree.h"
#include "vfs/operations.h"
#include "vfs_internal.h"

namespace vfs {

namespace {

class DetachedMountFile final : public File {
 public:
  DetachedMountFile() : File(path_only) {}
  void release() override { dissolve_detached_mounts(path().mount()); }
};

struct OldFlags {
  Mount* mount;
  MountFlags flags;
};

// EBUSY: somebody writes to what is to be read-only; then nothing is changed.
Result<void> change_flags_locked(Mount& mount, const MountChange& change, base::Vector<OldFlags>& old) {
  MountFlags before = mount.flags(), after = (before & ~change.clear) | change.set;
  old.push_back_reserved({&mount, before});
  MountTree::set_flags_locked(mount, after);
  if ((after & ~before & mount_read_only) && MountTree::has_writers(mount)) return error(Errno::ebusy);
  return {};
}

}  // namespace

void dissolve_detached_mounts(Mount& top) {
  for (;;) {
    RefPtr<Mount> leaf;  // dropped after the lock: may end a file system
    core::MutexGuard guard{mount_mutex()};
    if (top.parent() || top.mount_namespace()) return;
    MountGroups::leave_locked(top);
    if (top.children.empty()) return;
    Mount* at = top.children.first();
    while (Mount* child = at->children.first()) at = child;
    MountGroups::leave_locked(*at);
    leaf = MountTree::detach_locked(*at);
    guard.unlock();
    leaf = {};
    guard.lock();
  }
}

Result<RefPtr<File>> open_detached_mount(RefPtr<Mount> mount, RefPtr<const Credentials> credentials) {
  auto file = base::try_make_ref<DetachedMountFile>();
  if (!file) {
    dissolve_detached_mounts(*mount);
    return error(file.error());
  }
  RefPtr<Dentry> root = mount->root_reference();
  (*file)->attach(Path(std::move(mount), std::move(root)), open_path, std::move(credentials));
  return RefPtr<File>(std::move(*file));
}

Result<void> mount_change(const Caller& caller, const Path& target, const MountChange& change,
                          Recursion recursion) {
  if (!caller.credentials.can(Capability::sys_admin)) return error(Errno::eperm);
  if (&target.dentry() != &target.mount().root()) return error(Errno::einval);
  base::Vector<OldFlags> old;
  core::MutexGuard guard{mount_mutex()};
  Mount& top = target.mount();
  std::size_t count = 0;
  MountTree::for_each_below_locked(top, [&](Mount&) { ++count; });
  TRY(old.try_reserve(recursion == Recursion::recursive ? count : 1));
  Result<void> outcome;
  auto change_one = [&](Mount& mount) {
    if (outcome) outcome = change_flags_locked(mount, change, old);
  };
  if (recursion == Recursion::recursive)
    MountTree::for_each_below_locked(top, change_one);
  else
    change_one(top);
  for (const OldFlags& entry : old) {
    if (!outcome)
      MountTree::set_flags_locked(*entry.mount, entry.flags);
    else if (change.propagation)
      MountGroups::set_locked(*entry.mount, *change.propagation);
  }
  MountTree::changed_locked(top.mount_namespace());
  return outcome;
}

Result<std::string_view> mount_root_text(const Mount& mount, std::span<char> memory) {
  std::size_t at = memory.size();
  for (Dentry* dentry = &mount.root(); !dentry->is_root(); dentry = dentry->parent()) {
    std::string_view name = dentry->name();
    if (name.size() + 1 > at) return error(Errno::enametoolong);
    at -= name.size();
    name.copy(memory.data() + at, name.size());
    memory[--at] = '/';
  }
  if (at == memory.size()) memory[--at] = '/';
  return std::string_view(memory.data() + at, memory.size() - at);
}

}  // namespace vfs
