// What is mounted on a shared mount appears on its peers and on what follows them; see mount_groups.h.
#include <algorithm>

#include "mount_groups.h"
#include "vfs_internal.h"

namespace vfs {

namespace {
Result<void> check_copies_allowed(Mount& mount) {
  bool unbindable = false;
  MountTree::for_each_below_locked(mount,
                                   [&](Mount& at) { unbindable |= MountNode::of(at).is_unbindable(); });
  return unbindable ? Result<void>(error(Errno::einval)) : Result<void>();
}
}  // namespace

Result<void> MountSpread::count_more(std::size_t size, const Mount& parent) {
  std::size_t there = MountTree::mount_count(*parent.mount_namespace());
  counted_ += size;
  if (there + counted_ > limits.mount_max.load(std::memory_order_relaxed)) return error(Errno::enospc);
  return {};
}

Result<void> MountSpread::share_tree(Mount& mount) {
  TRY(newly_shared_.try_reserve(MountTree::tree_size_locked(mount)));
  MountTree::for_each_below_locked(mount, [&](Mount& at) {
    auto& node = MountNode::of(at);
    if (node.is_shared()) return;
    MountGroups::share_locked(node);
    newly_shared_.push_back_reserved(&node);
  });
  return {};
}

Result<void> MountSpread::copy_to(Mount& parent, Mount& source, CopyRelation relation, std::size_t size) {
  TRY(count_more(size, parent));
  std::size_t room = counted_;  // enough for all copies so far
  if (room > room_) {
    room_ = std::max(room, room_ * 2);
    TRY(dropped.try_reserve(room_));
  }
  TRY(copies_.try_push_back({&parent, {}}));
  auto copy = MountTree::clone_tree_locked(source, source.root_reference(), relation);
  if (!copy) {
    copies_.pop_back();
    return error(copy.error());
  }
  copies_[copies_.size() - 1].mount = std::move(*copy);
  return {};
}

// One group of those who follow: its first member gets a copy that follows what the master's group got, the
// others get peers of that.
Result<void> MountSpread::copy_to_group(MountNode& first, MountNode& origin, MountNode& mount,
                                        Dentry& point) {
  MountNode* source = &mount;
  auto relation = CopyRelation::same;
  bool follows = origin.copy != nullptr;  // else this is the group of the origin itself
  if (follows) {
    const MountNode* master = first.master;
    while (!master->copy) master = master->master;
    source = master->copy;
    relation = first.is_shared() ? CopyRelation::shared_slave : CopyRelation::slave;
  }
  MountNode* got = follows ? nullptr : &mount;
  std::size_t size = MountTree::tree_size_locked(mount);
  Result<void> outcome;
  MountNode* at = &first;
  do {
    if (at != &origin && at->mount_namespace() && is_dentry_below(point, at->root())) {
      outcome = copy_to(*at, *source, relation, size);
      if (!outcome) break;
      if (!got) {
        got = source = &MountNode::of(*copies_[copies_.size() - 1].mount);
        relation = CopyRelation::same;
      }
    }
    at = at->next_peer;
  } while (at != &first);
  do {
    at->copy = got;
    at = at->next_peer;
  } while (at != &first);
  return outcome;
}

Result<void> MountSpread::prepare_locked(Mount& mount, const Path& target, std::size_t already_counted) {
  auto& origin = MountNode::of(target.mount());
  std::size_t size = MountTree::tree_size_locked(mount);
  if (size > already_counted) TRY(count_more(size - already_counted, origin));
  if (!origin.is_shared()) return {};
  TRY(check_copies_allowed(mount));
  auto groups = TRY(MountGroups::audience_locked(origin));
  TRY(share_tree(mount));
  Result<void> outcome;
  for (MountNode* first : groups)
    if (outcome) outcome = copy_to_group(*first, origin, MountNode::of(mount), target.dentry());
  for (MountNode* first : groups) {
    MountNode* at = first;
    do {
      at->copy = nullptr;
      at = at->next_peer;
    } while (at != first);
  }
  return outcome;
}

void MountSpread::commit_locked(RefPtr<Mount> mount, const Path& target) {
  MountTree::attach_locked(std::move(mount), target);
  for (Copy& copy : copies_) {
    Mount* made = copy.mount.get();
    Mount* covered = MountTree::find_locked(*copy.parent, target.dentry());
    // What is there already stays on top.
    if (covered) MountTree::reparent_locked(*covered, *made, made->root());
    MountTree::attach_locked(std::move(copy.mount),
                             Path(RefPtr<Mount>(copy.parent), target.dentry_reference()));
  }
}

void MountSpread::cancel_locked() {
  for (Copy& copy : copies_) MountTree::discard_locked(std::move(copy.mount), dropped);
  for (MountNode* mount : newly_shared_) mount->set_group(0);  // the copies were its only peers
}

}  // namespace vfs
