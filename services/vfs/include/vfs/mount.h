// Mounted file systems and the tree they form.
//
// A Mount shows the tree below `root` of a FileSystem at the dentry `mountpoint` of its parent mount. Several
// mounts may show one file system (bind mounts), several may be stacked on one dentry (the last is on top). A
// MountNamespace is one such tree; processes see the tree through the namespace of their root.
//
// Locking: every change of the tree happens under mount_mutex() and, for the hash table and the parent links,
// inside the write side of mount_sequence(). Path walk reads the table under RCU and validates with the
// sequence. A Mount is freed after a grace period. Flags are atomic.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "base/string.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "core/sync/wait_queue.h"
#include "vfs/dentry.h"
#include "vfs/types.h"

namespace vfs {

class FileSystem;
class MountNamespace;
class Path;

// Per-mount flags, in the values of statfs' f_flags / mount(2) where they coincide (ST_RDONLY ...).
using MountFlags = std::uint32_t;
inline constexpr MountFlags mount_read_only = 1, mount_no_set_uid = 2, mount_no_devices = 4,
                            mount_no_execute = 8, mount_no_access_time = 1024,
                            mount_no_directory_access_time = 2048, mount_relative_access_time = 4096,
                            mount_no_symlink_follow = 8192;
inline constexpr MountFlags mount_user_flags =
    mount_read_only | mount_no_set_uid | mount_no_devices | mount_no_execute | mount_no_access_time |
    mount_no_directory_access_time | mount_relative_access_time | mount_no_symlink_follow;

enum class Propagation : std::uint8_t { private_mount, shared, slave, unbindable };

class Mount : public base::RefCounted<Mount> {
 public:
  // Not yet attached anywhere.
  static Result<RefPtr<Mount>> create(RefPtr<FileSystem> file_system, RefPtr<Dentry> root,
                                      std::string_view source, MountFlags flags);

  FileSystem& file_system() const { return *file_system_; }
  Dentry& root() const { return *root_; }
  const RefPtr<Dentry>& root_reference() const { return root_; }
  int id() const { return id_; }
  std::string_view source() const { return source_; }
  MountFlags flags() const { return flags_.load(std::memory_order_relaxed); }
  bool has(MountFlags flag) const { return flags() & flag; }
  bool is_read_only() const;  // the mount's flag or the file system's
  // Null while not attached. Under RCU or mount_mutex().
  Mount* parent() const { return parent_.load(std::memory_order_acquire); }
  Dentry* mount_point() const { return mount_point_.load(std::memory_order_acquire); }
  MountNamespace* mount_namespace() const { return namespace_.load(std::memory_order_acquire); }
  Propagation propagation() const { return propagation_; }
  int peer_group() const { return peer_group_; }

  // A writer (open for writing, mkdir ...) holds this for as long as the mount must not turn read-only: EROFS
  // if it is.
  Result<void> acquire_write();
  void release_write() { writers_.fetch_sub(1, std::memory_order_release); }

  void last_reference_dropped();

 private:
  friend class MountTree;
  friend class MountNamespace;
  Mount() = default;

  // Immutable.
  RefPtr<FileSystem> file_system_;
  RefPtr<Dentry> root_;
  base::String source_;
  int id_ = 0;
  std::atomic<MountFlags> flags_{0};
  std::atomic<std::int32_t> writers_{0};
  // Protected by mount_mutex(); read under RCU.
  std::atomic<Mount*> parent_{nullptr};
  std::atomic<Dentry*> mount_point_{nullptr};
  std::atomic<MountNamespace*> namespace_{nullptr};
  std::atomic<Mount*> hash_next_{nullptr};
  // Protected by mount_mutex().
  RefPtr<Mount> parent_reference_;  // keep parent_ and mount_point_ alive
  RefPtr<Dentry> mount_point_reference_;
  base::ListHook child_hook_, namespace_hook_, peer_hook_;
  Propagation propagation_ = Propagation::private_mount;
  int peer_group_ = 0;
  bool expiry_marked_ = false;
  core::RcuHead rcu_;

 public:
  // mount_tree.cpp only: the mounts below this one.
  using ChildList = base::IntrusiveList<Mount, &Mount::child_hook_>;
  ChildList children;
};

class MountNamespace : public base::RefCounted<MountNamespace> {
 public:
  static Result<RefPtr<MountNamespace>> create();
  ~MountNamespace();
  std::uint64_t id() const { return id_; }  // inode number of /proc/PID/ns/mnt
  // Rises with every change; pollers of /proc/PID/mountinfo wait on changed().
  std::uint64_t event() const { return event_.load(std::memory_order_acquire); }
  core::WaitQueue& changed() { return changed_; }
  // Each mount, in the order of mounting. `visit` runs under mount_mutex(): it formats text and does not
  // block for long.
  void for_each(base::FunctionRef<void(Mount&)> visit);
  void for_each_locked(base::FunctionRef<void(Mount&)> visit);  // the caller holds mount_mutex()
  RefPtr<Mount> root() const;

 private:
  friend class MountTree;
  std::uint64_t id_ = 0;
  std::atomic<std::uint64_t> event_{1};
  core::WaitQueue changed_;
  std::atomic<Mount*> root_{nullptr};
  std::size_t count_ = 0;
  base::IntrusiveList<Mount, &Mount::namespace_hook_> mounts_;
};

core::Mutex& mount_mutex();

// The namespace every process starts in.
MountNamespace& initial_mount_namespace();

}  // namespace vfs
