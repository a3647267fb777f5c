// A place in the tree of mounted file systems: a dentry, and the mount through which it was reached.
#pragma once

#include "vfs/dentry.h"
#include "vfs/mount.h"

namespace vfs {

class Path {
 public:
  Path() = default;
  Path(RefPtr<Mount> mount, RefPtr<Dentry> dentry) : mount_(std::move(mount)), dentry_(std::move(dentry)) {}

  Path(const Path&) = default;
  Path(Path&&) = default;
  // What was here goes through a destructor, which drops the dentry before the mount: the file system lives
  // that long.
  Path& operator=(Path other) noexcept {
    std::swap(mount_, other.mount_);
    std::swap(dentry_, other.dentry_);
    return *this;
  }

  Mount& mount() const { return *mount_; }
  Dentry& dentry() const { return *dentry_; }
  // The inode; the dentry is positive (every path that lookup returned without LookupFlag::may_be_missing).
  Inode& inode() const { return *dentry_->inode(); }
  const RefPtr<Mount>& mount_reference() const { return mount_; }
  const RefPtr<Dentry>& dentry_reference() const { return dentry_; }
  explicit operator bool() const { return static_cast<bool>(dentry_); }
  bool operator==(const Path& other) const = default;

 private:
  RefPtr<Mount> mount_;
  RefPtr<Dentry> dentry_;
};

}  // namespace vfs
