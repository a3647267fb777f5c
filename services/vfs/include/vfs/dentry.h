// The directory-entry cache: names, and what they mean, as a tree in memory.
//
// A Dentry is one name in one directory. Positive ones point at an Inode, negative ones remember that the
// name does not exist. Every dentry holds a reference on its parent, so a referenced dentry keeps its whole
// way up alive.
//
// Life:            allocate            insert               unlink, rename over it, shrink
//   (free) ────────────────> unhashed ───────> hashed, found by lookup ───────> unhashed ─────> dead ──RCU──>
//   (free) A count of zero does not end a hashed dentry: it stays cached (on the LRU list) until memory is
//   wanted. An unhashed one dies with its last reference. In a file system whose storage *is* the cache
//   (tmpfs: FileSystem::dentries_are_ storage) each positive dentry carries one extra reference, dropped by
//   unlink.
//
// Reading without locks (path walk): under an RcuReadGuard, take sequence() first, read name, parent and
// inode, then check sequence again: unequal or odd means a rename or unlink was under way and what was read
// must not be used. Writers: parent, name, inode and hash membership change under the parent directory's
// inode lock (exclusive) — rename across directories additionally under the file system's rename mutex — and
// bump the sequence around the change.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/format.h"
#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "core/sync/rcu.h"
#include "core/sync/spin_lock.h"
#include "vfs/types.h"

namespace vfs {

class Dentry;
class FileSystem;
class Inode;

// The hash of a component, seeded with its parent when looked up in the table.
std::uint32_t hash_name(std::string_view name);

// A name in memory; immutable, freed after a grace period when a rename replaced it.
struct DentryName {
  core::RcuHead rcu;
  std::uint32_t length = 0;
  char text[];
  std::string_view view() const { return {text, length}; }
};

class Dentry {
 public:
  enum Flag : std::uint32_t {
    hashed = 1 << 0,            // findable
    mount_point = 1 << 1,       // something is mounted here in some namespace: consult the mount table
    needs_validation = 1 << 2,  // ask Inode::is_stale() on each use (processes in /proc)
    on_lru = 1 << 3,
    recently_used = 1 << 4,
    pinned = 1 << 5,          // carries the reference of a storage file system
    parent_watched = 1 << 6,  // the parent directory has notification marks
    anonymous = 1 << 7,       // no name in any directory (pipes, sockets, memfd): the inode describes itself
    mount_refused = 1 << 8,   // being removed: nothing may be mounted here any more
  };

  // An unhashed, negative dentry below `parent` (null for the root of a file system) with one reference.
  // Takes a reference on the parent.
  static Result<RefPtr<Dentry>> create(FileSystem& file_system, Dentry* parent, std::string_view name);
  // For an object without a name; consumes the inode reference.
  static Result<RefPtr<Dentry>> create_anonymous(FileSystem& file_system, RefPtr<Inode> inode);

  Dentry(const Dentry&) = delete;
  Dentry& operator=(const Dentry&) = delete;

  // ---- References (RefPtr uses these) ----
  void acquire_reference() { count_.fetch_add(1, std::memory_order_relaxed); }
  // From a pointer found under RCU; fails once the dentry is dying.
  [[nodiscard]] bool try_acquire_reference();
  // May sleep: the last reference of an unhashed dentry also drops its inode and its parent.
  void release_reference();
  std::int32_t reference_count() const { return count_.load(std::memory_order_relaxed); }

  // ---- Reading ----
  Inode* inode() const { return inode_.load(std::memory_order_acquire); }
  bool is_negative() const { return inode() == nullptr; }
  Dentry* parent() const { return parent_.load(std::memory_order_acquire); }  // itself for a root
  bool is_root() const { return parent() == this; }
  std::string_view name() const { return name_.load(std::memory_order_acquire)->view(); }
  std::uint32_t hash() const { return hash_; }
  FileSystem& file_system() const { return *file_system_; }
  std::uint32_t flags() const { return flags_.load(std::memory_order_acquire); }
  bool has(Flag flag) const { return flags() & flag; }
  void set_flag(Flag flag) { flags_.fetch_or(flag, std::memory_order_acq_rel); }
  void clear_flag(Flag flag) {
    flags_.fetch_and(~static_cast<std::uint32_t>(flag), std::memory_order_acq_rel);
  }
  std::uint32_t sequence() const { return sequence_.load(std::memory_order_acquire); }
  bool sequence_is(std::uint32_t value) const {
    // The reads this validates must not sink below the second look at the sequence.
    std::atomic_thread_fence(std::memory_order_acquire);
    return sequence_.load(std::memory_order_relaxed) == value;
  }
  // Where directory listings resume (readdir cookies of storage file systems); rises with each new name in a
  // parent.
  std::uint64_t cookie() const { return cookie_; }
  // A copy of the name that stays whole when a rename comes in between.
  RefPtr<Dentry> parent_reference() const;

  // ---- Changing; the parent directory's inode lock held exclusively ----
  // negative -> positive; consumes the inode reference. Pins in storage file systems.
  void instantiate(RefPtr<Inode> inode);
  // Makes it findable.
  void insert_in_cache();
  // The file was removed: becomes negative if nobody else uses it, unhashed otherwise. Unpins.
  void removed();
  // No longer findable, whatever it is (stale, overwritten).
  void unhash();

  // First child with cookie >= `cookie`, in cookie order. Under the directory's inode lock (any mode) for
  // storage file systems; null at the end.
  Dentry* first_child_from(std::uint64_t cookie);
  bool has_children();

 private:
  friend class DentryCache;
  Dentry() = default;
  ~Dentry() = default;

  static constexpr std::int32_t dead_count = -0x40000000;
  static constexpr std::size_t inline_name_size = 40;

  // Written under the table's bucket lock; read under RCU.
  std::atomic<Dentry*> hash_next_{nullptr};
  std::atomic<Dentry*> parent_{nullptr};
  std::atomic<DentryName*> name_{nullptr};
  std::atomic<Inode*> inode_{nullptr};
  std::uint32_t hash_ = 0;
  std::atomic<std::uint32_t> sequence_{0};
  std::atomic<std::int32_t> count_{1};
  std::atomic<std::uint32_t> flags_{0};
  FileSystem* file_system_ = nullptr;  // immutable
  core::SpinLock lock_{"dentry"};      // protects children_ and next_cookie_
  base::TreeHook sibling_;             // in the parent's children_, under the parent's lock_
  base::TreeBase children_;            // by cookie
  std::uint64_t next_cookie_ = 2;      // 0 and 1 are "." and ".."
  std::uint64_t cookie_ = 0;
  base::ListHook lru_;
  core::RcuHead rcu_;
  alignas(DentryName) char inline_name_[sizeof(DentryName) + inline_name_size];
};

}  // namespace vfs
