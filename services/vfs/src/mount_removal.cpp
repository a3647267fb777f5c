// What is unmounted from a shared mount goes from its peers and from what follows them; see mount_groups.h.
#include "mount_groups.h"

namespace vfs {

namespace {

// What is mounted where `mount` is mounted, on each mount that hears of changes on its parent.
template <typename Function>
Result<void> for_each_follower(Mount& mount, Function&& function) {
  auto& parent = MountNode::of(*mount.parent());
  auto groups = TRY(MountGroups::audience_locked(parent));
  for (MountNode* first : groups) {
    MountNode* at = first;
    do {
      if (at != &parent) {
        if (Mount* there = MountTree::find_locked(*at, *mount.mount_point()))
          TRY(function(MountNode::of(*there)));
      }
      at = at->next_peer;
    } while (at != first);
  }
  return {};
}

// The only thing mounted on it covers it wholly.
bool is_just_covered(Mount& mount) {
  Mount* child = mount.children.first();
  return child && child->mount_point() == &mount.root() && !mount.children.next(*child);
}

}  // namespace

Result<bool> MountRemoval::is_busy_locked(Mount& mount, std::int64_t expected) {
  if (!mount.children.empty() || mount.reference_count() > expected) return true;
  bool busy = false;
  TRY(for_each_follower(mount, [&](MountNode& other) -> Result<void> {
    bool covered = is_just_covered(other);
    if (!covered && !other.children.empty()) return {};  // it stays
    if (other.reference_count() > (covered ? 2 : 1)) busy = true;
    return {};
  }));
  return busy;
}

Result<void> MountRemoval::add_followers(Mount& mount) {
  return for_each_follower(mount, [&](MountNode& other) -> Result<void> {
    if (other.mark != MountNode::Mark::none) return {};
    TRY(going_.try_push_back(&other));
    other.mark = MountNode::Mark::candidate;
    return {};
  });
}

// A follower stays when something is mounted in it that stays, other than on its root.
void MountRemoval::keep_those_in_use() {
  auto keep = [](MountNode* mount) {
    // Which may keep the mount below.
    while (mount->mark == MountNode::Mark::candidate) {
      mount->mark = MountNode::Mark::kept;
      auto* parent = &MountNode::of(*mount->parent());
      if (mount->mount_point() == &parent->root()) return;
      mount = parent;
    }
  };
  for (MountNode* mount : going_) {
    if (mount->mark != MountNode::Mark::candidate) continue;
    for (Mount& below : mount->children) {
      auto& child = MountNode::of(below);
      if (child.mount_point() != &mount->root() &&
          (child.mark == MountNode::Mark::none || child.mark == MountNode::Mark::kept)) {
        keep(mount);
        break;
      }
    }
  }
}

// What covers a follower that goes takes its place.
void MountRemoval::lift_covers() {
  auto goes = [](const Mount& its_base) {
    const auto& mount = MountNode::of(its_base);
    return mount.mark == MountNode::Mark::going || mount.mark == MountNode::Mark::candidate;
  };
  for (MountNode* mount : going_) {
    if (mount->mark != MountNode::Mark::candidate) continue;
    Mount* cover = MountTree::find_locked(*mount, mount->root());
    if (!cover || goes(*cover)) continue;
    Mount* parent = mount;
    Dentry* point = nullptr;
    while (goes(*parent)) {
      point = parent->mount_point();
      parent = parent->parent();
    }
    // Where a cover of another one came already, it goes on top of that.
    while (Mount* there = MountTree::find_locked(*parent, *point)) {
      if (goes(*there)) break;
      parent = there;
      point = &there->root();
    }
    MountTree::reparent_locked(*cover, *parent, *point);
  }
}

void MountRemoval::clear_marks() {
  for (MountNode* mount : going_) mount->mark = MountNode::Mark::none;
}

Result<void> MountRemoval::prepare_locked(Mount& mount) {
  TRY(going_.try_reserve(MountTree::tree_size_locked(mount)));
  MountTree::for_each_below_locked(mount, [&](Mount& at) {
    MountNode::of(at).mark = MountNode::Mark::going;
    going_.push_back_reserved(&MountNode::of(at));
  });
  Result<void> outcome;
  std::size_t count = going_.size();
  for (std::size_t i = 0; outcome && i < count; ++i) outcome = add_followers(*going_[i]);
  if (outcome) outcome = dropped.try_reserve(going_.size());
  if (!outcome) clear_marks();
  return outcome;
}

void MountRemoval::commit_locked() {
  keep_those_in_use();
  lift_covers();
  for (MountNode* mount : going_) {
    if (mount->mark == MountNode::Mark::kept) continue;
    dropped.push_back_reserved(MountTree::remove_locked(*mount));
  }
  clear_marks();
}

}  // namespace vfs
