// The table of mounts and changes of the tree; see vfs/mount.h.
#pragma once

#include "vfs/file_system.h"
#include "vfs/mount.h"
#include "vfs/path.h"

namespace vfs {

// Odd while the table changes; a walk that overlaps a change does not trust what it saw.
extern std::atomic<std::uint32_t> mount_sequence;

// What a copy of a mount is to the original.
enum class CopyRelation {
  same,          // what the original is: a peer if it is shared, a slave of the same master if it is one
  slave,         // a slave of the original
  shared_slave,  // the same, with a group of its own
};

class MountTree {
 public:
  struct Node;  // mount_groups.h
  static Result<void> initialize();
  // What is mounted on `point` of `parent`; null if nothing. Under RCU, validated by mount_sequence.
  static Mount* find_rcu(const Mount* parent, const Dentry* point);
  // The same with a reference, never torn.
  static RefPtr<Mount> find(const Mount& parent, const Dentry& point);
  // Follows mounts stacked on `path` to the top.
  static void cross(Path& path);

  // Where it is mounted: the parent mount and the dentry; empty for the top of a namespace.
  static Path place_of(const Mount& mount);

  // ---- Under mount_mutex() ----
  // Puts an unattached mount (with what is mounted below it) at `target`.
  static void attach_locked(RefPtr<Mount> mount, const Path& target);
  static void make_root_locked(RefPtr<Mount> mount, MountNamespace& space);
  // Takes it out of the tree; the caller gets the tree's reference. Children stay below it.
  static RefPtr<Mount> detach_locked(Mount& mount);
  // Everything below goes out of the namespace too; references collected for the caller to drop after the
  // lock.
  static void detach_all_locked(Mount& mount, base::Vector<RefPtr<Mount>>& dropped);
  // One mount out of the tree, its group and the namespace.
  static RefPtr<Mount> remove_locked(Mount& mount);
  static bool is_below_locked(const Mount& mount, const Mount& ancestor);
  // pivot_root: `new_root` (a mount point) becomes the namespace's root, the old root goes to `put_old`.
  static void pivot_locked(Mount& new_root, const Path& put_old, RefPtr<Mount>& old_parent,
                           RefPtr<Dentry>& old_point);
  // The references a detached mount still holds on its old place, for the caller to drop after the lock.
  static void keep_place(Mount& mount, RefPtr<Mount>& parent, RefPtr<Dentry>& point);
  static bool is_rootfs(const Mount& mount) { return mount.id() == 1; }
  // A copy of the mount showing the tree below `root`; with `recursive`, of the mounts below as well.
  static Result<RefPtr<Mount>> clone_locked(Mount& original, RefPtr<Dentry> root,
                                            CopyRelation relation = CopyRelation::same);
  static Result<RefPtr<Mount>> clone_tree_locked(Mount& original, RefPtr<Dentry> root,
                                                 CopyRelation relation = CopyRelation::same);
  // Takes a copy that got no place apart again; its mounts are collected in `dropped`, which has room.
  static void discard_locked(RefPtr<Mount> copy, base::Vector<RefPtr<Mount>>& dropped);
  // What is mounted on `point` of `parent`.
  static Mount* find_locked(const Mount& parent, const Dentry& point) { return find_rcu(&parent, &point); }
  // Another place for a mount that has one. The old place's references are not the last ones.
  static void reparent_locked(Mount& mount, Mount& parent, Dentry& point);
  static std::size_t tree_size_locked(Mount& top);
  static void changed_locked(MountNamespace* space);
  static void set_flags_locked(Mount& mount, MountFlags flags) {
    mount.flags_.store(flags, std::memory_order_release);
  }
  static bool has_writers(const Mount& mount) { return mount.writers_.load(std::memory_order_seq_cst) != 0; }
  static bool mark_expiry_locked(Mount& mount) { return std::exchange(mount.expiry_marked_, true); }
  static void clear_expiry(Mount& mount) { mount.expiry_marked_ = false; }
  static std::size_t mount_count(const MountNamespace& space) { return space.count_; }
  template <typename Function>
  static void for_each_below_locked(Mount& top, Function&& function);

 private:
  static void hash_insert(Mount& mount);
  static void hash_remove(Mount& mount);
  static void join_namespace(Mount& mount, MountNamespace* space);
  static void clear_unused_point(Dentry& point);
};

// Each mount below `top` and itself, parents before children.
template <typename Function>
void MountTree::for_each_below_locked(Mount& top, Function&& function) {
  Mount* at = &top;
  for (;;) {
    function(*at);
    if (Mount* child = at->children.first()) {
      at = child;
      continue;
    }
    while (at != &top) {
      Mount* parent = at->parent();
      if (Mount* sibling = parent->children.next(*at)) {
        at = sibling;
        break;
      }
      at = parent;
    }
    if (at == &top) return;
  }
}

}  // namespace vfs
