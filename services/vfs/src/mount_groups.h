// Who shares mounts with whom.
//
// A shared mount belongs to a group of peers: what is mounted or unmounted on one of them is on all. A slave
// follows a group (its master is one of its members) and tells nobody; it may be shared with peers of its
// own as well. All under mount_mutex(). A mount leaves its group before it goes out of the tree, so a member
// is always alive.
#pragma once

#include "base/vector.h"
#include "mount_tree.h"
#include "vfs/mount.h"
#include "vfs/path.h"

namespace vfs {

// What groups are made of. Every Mount is the base of one of these; the rest of the kernel sees the Mount
// alone.
struct MountTree::Node final : Mount {
  static Node& of(Mount& mount) { return static_cast<Node&>(mount); }
  static const Node& of(const Mount& mount) { return static_cast<const Node&>(mount); }
  bool is_shared() const { return peer_group() != 0; }
  bool is_unbindable() const { return propagation() == Propagation::unbindable; }
  void set_group(int number) { peer_group_ = number; }
  void set_unbindable(bool value) {
    propagation_ = value ? Propagation::unbindable : Propagation::private_mount;
  }

  // A ring of the mounts of one peer group; the mount alone while it is not shared.
  Node* next_peer = this;
  Node* previous_peer = this;
  Node* master = nullptr;  // on whose list of slaves this is
  base::ListHook slave_hook;
  // Notes of the operation that holds the mutex; clean outside of it.
  enum class Mark : std::uint8_t { none, going, candidate, kept };
  Mark mark = Mark::none;
  Node* copy = nullptr;  // what this mount's group got
  base::IntrusiveList<Node, &Node::slave_hook> slaves;
};
using MountNode = MountTree::Node;

class MountGroups {
 public:
  static void set_locked(Mount& mount, Propagation kind);
  static void leave_locked(Mount& mount) { set_locked(mount, Propagation::private_mount); }
  static void share_locked(MountNode& mount);
  static void relate_copy_locked(Mount& copy, Mount& original, CopyRelation relation);
  // MOVE_MOUNT_SET_GROUP: `mount`, a private one, gets the peers and the master of `model`.
  static void adopt_locked(MountNode& mount, MountNode& model);
  // One mount of each group that hears of changes on `origin`, that of `origin` first and each master's group
  // before those of its slaves.
  static Result<base::Vector<MountNode*>> audience_locked(MountNode& origin);

 private:
  static void join_ring(MountNode& newcomer, MountNode& member);
  static void leave_ring(MountNode& mount);
  static void set_master(MountNode& mount, MountNode* master);
  static void hand_over_slaves(MountNode& mount, MountNode* master);
  static void make_slave(MountNode& mount);
};

// A mount with all that is mounted below it comes to a place, and copies of it to where the place's mount is
// followed. Nothing is changed on failure.
class MountSpread {
 public:
  // Makes the copies; EINVAL if what comes must not be copied, ENOSPC if there would be too many mounts.
  Result<void> prepare_locked(Mount& mount, const Path& target, std::size_t already_counted);
  // Attaches them all. `mount` has no place (any more).
  void commit_locked(RefPtr<Mount> mount, const Path& target);
  // After prepare_locked() failed: takes the copies back. What ends is collected in `dropped`.
  void cancel_locked();
  // To be cleared without the mutex.
  base::Vector<RefPtr<Mount>> dropped;

 private:
  struct Copy {
    Mount* parent;
    RefPtr<Mount> mount;
  };
  Result<void> copy_to_group(MountNode& first, MountNode& origin, MountNode& mount, Dentry& point);
  Result<void> copy_to(Mount& parent, Mount& source, CopyRelation relation, std::size_t size);
  Result<void> share_tree(Mount& mount);
  Result<void> count_more(std::size_t size, const Mount& parent);

  base::Vector<Copy> copies_;
  base::Vector<MountNode*> newly_shared_;
  std::size_t counted_ = 0;  // mounts that come
  std::size_t room_ = 0;     // in `dropped`
};

// A mount goes with all below it, and what is mounted at the same places where it is followed.
class MountRemoval {
 public:
  // Finds what goes.
  Result<void> prepare_locked(Mount& mount);
  // Whether somebody uses the mount or one of those that follow it; `expected` references on the mount.
  static Result<bool> is_busy_locked(Mount& mount, std::int64_t expected);
  void commit_locked();
  // To be cleared without the mutex.
  base::Vector<RefPtr<Mount>> dropped;

 private:
  Result<void> add_followers(Mount& mount);
  void keep_those_in_use();
  void lift_covers();
  void clear_marks();

  base::Vector<MountNode*> going_;
};

}  // namespace vfs
