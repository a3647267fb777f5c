// Rights on mount and inode that last for one operation, or as long as a file stays open.
#pragma once

#include "vfs/context.h"
#include "vfs/file.h"
#include "vfs/inode.h"

namespace vfs {

// The mount stays writable while this lives.
class MountWrite {
 public:
  MountWrite() = default;
  ~MountWrite() {
    if (mount_) mount_->release_write();
  }
  MountWrite(const MountWrite&) = delete;
  Result<void> acquire(Mount& mount) {
    TRY(mount.acquire_write());
    mount_ = &mount;
    return {};
  }

 private:
  Mount* mount_ = nullptr;
};

// What an open for writing (or for execution) holds; goes over to the file when that exists.
class OpenAccess {
 public:
  OpenAccess() = default;
  ~OpenAccess() {
    if (bits_ & File::holds_inode_write) inode_->release_write_access();
    if (bits_ & File::holds_inode_deny) inode_->allow_write_access();
    if (bits_ & File::holds_mount_write) mount_->release_write();
  }
  OpenAccess(const OpenAccess&) = delete;

  Result<void> acquire(const Path& path, OpenFlags flags) {
    inode_ = &path.inode();
    mount_ = &path.mount();
    if (!is_regular(inode_->mode())) return {};
    if (flags & open_for_execute) {
      TRY(inode_->deny_write_access());
      bits_ |= File::holds_inode_deny;
      return {};
    }
    if ((flags & open_access_mask) == open_read_only && !(flags & open_truncate)) return {};
    TRY(inode_->acquire_write_access());
    bits_ |= File::holds_inode_write;
    TRY(mount_->acquire_write());
    bits_ |= File::holds_mount_write;
    return {};
  }
  void hand_over(File& file) { file.access_ |= std::exchange(bits_, 0u); }

 private:
  Inode* inode_ = nullptr;
  Mount* mount_ = nullptr;
  std::uint32_t bits_ = 0;
};

// Owner, group and mode of a new object in `directory`.
NewInode new_inode(const Inode& directory, const Caller& caller, Mode mode, DeviceNumber device = {});

// May `victim` be taken out of `directory`: permissions, sticky bit, immutable flags, and whether it is what
// was wanted.
enum class VictimKind { any, directory, not_directory };
Result<void> may_delete(const Inode& directory, const Dentry& victim, const Credentials& credentials,
                        VictimKind wanted);

}  // namespace vfs
