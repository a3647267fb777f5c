// Peer groups, masters and slaves; see mount_groups.h.
#include "mount_groups.h"

#include "vfs/lookup.h"
#include "vfs/mount_sharing.h"

namespace vfs {

namespace {
constinit std::atomic<int> next_peer_group{1};
}

void MountGroups::join_ring(MountNode& newcomer, MountNode& member) {
  newcomer.next_peer = member.next_peer;
  newcomer.previous_peer = &member;
  member.next_peer->previous_peer = &newcomer;
  member.next_peer = &newcomer;
}

void MountGroups::leave_ring(MountNode& mount) {
  mount.next_peer->previous_peer = mount.previous_peer;
  mount.previous_peer->next_peer = mount.next_peer;
  mount.next_peer = mount.previous_peer = &mount;
}

void MountGroups::set_master(MountNode& mount, MountNode* master) {
  if (mount.master) mount.master->slaves.remove(mount);
  mount.master = master;
  if (master) master->slaves.push_back(mount);
}

void MountGroups::hand_over_slaves(MountNode& mount, MountNode* master) {
  while (MountNode* slave = mount.slaves.first()) set_master(*slave, master);
}

void MountGroups::share_locked(MountNode& mount) {
  if (!mount.is_shared()) mount.set_group(next_peer_group.fetch_add(1, std::memory_order_relaxed));
  mount.set_unbindable(false);
}

// It leaves its peers and follows them; whoever followed it follows them too. Without peers they all follow
// what it followed before.
void MountGroups::make_slave(MountNode& mount) {
  MountNode* master = mount.master;
  if (mount.next_peer != &mount) {
    // A peer that shows the same part is the best master.
    master = mount.next_peer;
    for (MountNode* peer = master; peer != &mount; peer = peer->next_peer)
      if (&peer->root() == &mount.root()) {
        master = peer;
        break;
      }
    leave_ring(mount);
  }
  mount.set_group(0);
  hand_over_slaves(mount, master);
  set_master(mount, master);
}

void MountGroups::set_locked(Mount& changed, Propagation kind) {
  auto& mount = MountNode::of(changed);
  if (kind == Propagation::shared) return share_locked(mount);
  make_slave(mount);
  if (kind == Propagation::slave) return;
  set_master(mount, nullptr);
  mount.set_unbindable(kind == Propagation::unbindable);
}

void MountGroups::relate_copy_locked(Mount& new_copy, Mount& its_original, CopyRelation relation) {
  auto &copy = MountNode::of(new_copy), &original = MountNode::of(its_original);
  if (relation == CopyRelation::same) {
    adopt_locked(copy, original);
    copy.set_unbindable(original.is_unbindable());
    return;
  }
  set_master(copy, &original);
  if (relation == CopyRelation::shared_slave) share_locked(copy);
}

void MountGroups::adopt_locked(MountNode& mount, MountNode& model) {
  if (model.is_shared()) {
    mount.set_group(model.peer_group());
    join_ring(mount, model);
  }
  if (model.master) set_master(mount, model.master);
}

Result<base::Vector<MountNode*>> MountGroups::audience_locked(MountNode& origin) {
  base::Vector<MountNode*> groups;
  auto note_group = [](MountNode& first, MountNode* note) {
    MountNode* at = &first;
    do {
      at->copy = note;
      at = at->next_peer;
    } while (at != &first);
  };
  auto add_group = [&](MountNode& first) -> Result<void> {
    TRY(groups.try_push_back(&first));
    note_group(first, &first);  // found
    return {};
  };
  Result<void> outcome = add_group(origin);
  for (std::size_t i = 0; outcome && i < groups.size(); ++i) {
    MountNode* peer = groups[i];
    do {
      for (MountNode& slave : peer->slaves)
        if (outcome && !slave.copy) outcome = add_group(slave);
      peer = peer->next_peer;
    } while (peer != groups[i]);
  }
  for (MountNode* first : groups) note_group(*first, nullptr);
  TRY(outcome);
  return groups;
}

// ---- For others ----

namespace {
int visible_master_of(const MountNode& mount, const Path& root) {
  for (MountNode* master = mount.master; master; master = master->master) {
    MountNode* peer = master;
    do {
      if (peer->mount_namespace() && peer->mount_namespace() == mount.mount_namespace() &&
          is_below(Path(RefPtr<Mount>(peer), peer->root_reference()), root))
        return peer->peer_group();
      peer = peer->next_peer;
    } while (peer != master);
  }
  return 0;
}
}  // namespace

MountSharing sharing_of_locked(const Mount& mount, const Path& root) {
  const auto& node = MountNode::of(mount);
  MountSharing result{node.peer_group(), 0, 0, node.is_unbindable()};
  if (!node.master) return result;
  result.master = node.master->peer_group();
  result.visible_master = visible_master_of(node, root);
  return result;
}

}  // namespace vfs
