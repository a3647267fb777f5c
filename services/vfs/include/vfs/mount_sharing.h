// Which mounts share what is mounted on them: mount_namespaces(7), "shared subtrees".
//
// A shared mount belongs to a group of peers; a slave follows a group without telling it anything. The kinds
// are set with mount_set_propagation() (vfs/operations.h).
#pragma once

#include "vfs/context.h"
#include "vfs/mount.h"
#include "vfs/path.h"

namespace vfs {

struct MountSharing {
  int peers = 0;   // the number of the group, 0 if it is not shared
  int master = 0;  // of the group that it follows, 0 if it follows none
  // Of the nearest group that it follows, directly or through others, with a member that is visible below the
  // root given; 0 if there is none.
  int visible_master = 0;
  bool unbindable = false;
};

// Under mount_mutex().
MountSharing sharing_of_locked(const Mount& mount, const Path& root);

// MOVE_MOUNT_SET_GROUP: `to` gets the peers and the master of `from`. CAP_SYS_ADMIN, checked here.
Result<void> mount_set_group(const Caller& caller, const Path& from, const Path& to);

}  // namespace vfs
