// An object of a file system: file, directory, symbolic link, device node, FIFO, socket.
//
// A file system derives from Inode and overrides what it can do; what it leaves out answers with Linux's
// error for "this file system cannot". Callers do not use these functions directly but the entry points in
// vfs/operations.h, which do permission checks, locking, limits and notification; the functions here are the
// file system's side.
//
// Locking (order: parent before child, see docs/vfs.md):
//   lock()      directories: exclusive around every change of their entries, shared around iterate; files:
//   exclusive around
//               write, truncate and attribute changes.
//   Attributes are atomics: read anywhere (path walk reads mode, uid and gid under RCU), changed under
//   lock().
//
// Life: references are held by dentries and by whoever looks at the inode. When the last goes, evict() runs
// (may sleep: frees the data), then the memory is freed after an RCU grace period. A thread that reclaims
// memory may hold any lock, a journal's too: inodes whose eviction needs such things (evict_needs_locks())
// are then evicted by a worker.
#pragma once

#include <arch/time.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/string.h"
#include "core/sync/rcu.h"
#include "core/sync/rw_mutex.h"
#include "vfs/attributes.h"
#include "vfs/path.h"

namespace core {
class MemoryObject;
}

namespace vfs {

class DirectorySink;
class File;
class InodeLocks;
class NotifyMarks;

// What a new object starts with; filled in by the entry points (umask, set-group-id directories and ids
// applied).
struct NewInode {
  Mode mode = 0;
  UserId uid = 0;
  GroupId gid = 0;
  DeviceNumber device;
};

struct OpenRequest {
  const Path& path;
  OpenFlags flags;
  const Credentials& credentials;
};

enum class RenameKind { replace, exchange, whiteout };
enum class XattrMode { set, create_only, replace_only };

// Where a symbolic link leads: text to walk, or (magic links of /proc) a path to jump to.
struct LinkTarget {
  base::String text;
  Path jump;
};

// Something that lives exactly as long as an inode: the pipe behind a FIFO, the socket bound to a name.
class InodeAttachment : public base::RefCounted<InodeAttachment> {
 public:
  virtual ~InodeAttachment() = default;
};

class Inode {
 public:
  enum Flag : std::uint32_t {
    custom_permission = 1 << 0,  // permission() is overridden: path walk must call it
    // The directory's children are all in the dentry cache: a name not found there does not exist.
    complete_directory = 1 << 1,
    sealed_type = 1 << 2,  // memfd: has seals
    no_access_time = 1 << 3,
    append_only = 1 << 4,
    immutable = 1 << 5,
    swap_file = 1 << 6,
    dead_directory = 1 << 7,   // removed: nothing can be created in it
    slow_attributes = 1 << 8,  // get_attributes() may sleep
    linkable = 1 << 10,        // O_TMPFILE: may get a first link although it has none
    magic_link = 1 << 9,       // follow() returns a jump: RESOLVE_NO_MAGICLINKS refuses it
  };

  Inode(FileSystem& file_system, std::uint64_t number, const NewInode& properties);
  virtual ~Inode();
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  void acquire_reference() const { references_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] bool try_acquire_reference() const;
  void release_reference() const;  // may sleep

  // ---- Identity ----
  FileSystem& file_system() const { return file_system_; }
  std::uint64_t number() const { return number_; }

  // ---- Attributes ----
  Mode mode() const { return mode_.load(std::memory_order_relaxed); }
  UserId uid() const { return uid_.load(std::memory_order_relaxed); }
  GroupId gid() const { return gid_.load(std::memory_order_relaxed); }
  std::uint32_t link_count() const { return links_.load(std::memory_order_relaxed); }
  std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
  DeviceNumber device() const { return device_; }  // of a device node
  std::uint32_t flags() const { return flags_.load(std::memory_order_acquire); }
  bool has(Flag flag) const { return flags() & flag; }
  void set_flag(Flag flag) { flags_.fetch_or(flag, std::memory_order_acq_rel); }
  void clear_flag(Flag flag) {
    flags_.fetch_and(~static_cast<std::uint32_t>(flag), std::memory_order_acq_rel);
  }
  Timestamp access_time() const { return access_time_.load(); }
  Timestamp modify_time() const { return modify_time_.load(); }
  Timestamp change_time() const { return change_time_.load(); }
  Timestamp birth_time() const { return birth_time_; }

  void set_mode(Mode mode) { mode_.store(mode, std::memory_order_relaxed); }
  void set_owner(UserId uid, GroupId gid) {
    uid_.store(uid, std::memory_order_relaxed);
    gid_.store(gid, std::memory_order_relaxed);
  }
  void set_link_count(std::uint32_t count) { links_.store(count, std::memory_order_relaxed); }
  void add_link() { links_.fetch_add(1, std::memory_order_relaxed); }
  void drop_link() { links_.fetch_sub(1, std::memory_order_relaxed); }
  void set_size(std::uint64_t size) { size_.store(size, std::memory_order_release); }
  void set_access_time(Timestamp time) { set_time(access_time_, time); }
  void set_modify_time(Timestamp time) { set_time(modify_time_, time); }
  void set_change_time(Timestamp time) { set_time(change_time_, time); }
  void touch_modified();  // modify and change time to now
  void touch_changed();   // change time to now
  // After reading: as the mount wants it (relatime by default).
  void touch_accessed(const Mount& mount);
  // Whether touch_accessed() would change nothing on a mount with relatime. Says no when it would have to
  // look closely.
  bool access_time_is_fresh() const {
    return arch::counter_unordered() < access_fresh_until_.load(std::memory_order_relaxed);
  }

  core::RwMutex& lock() RETURN_CAPABILITY(lock_) { return lock_; }

  // ---- Directory operations; lock() held exclusively (lookup: at least exclusive too) ----
  // The inode behind `name`, or null when there is none.
  virtual Result<RefPtr<Inode>> lookup(std::string_view name);
  virtual Result<RefPtr<Inode>> create(Dentry& entry, const NewInode& properties);
  virtual Result<RefPtr<Inode>> make_directory(Dentry& entry, const NewInode& properties);
  virtual Result<RefPtr<Inode>> make_symlink(Dentry& entry, std::string_view target,
                                             const NewInode& properties);
  virtual Result<RefPtr<Inode>> make_node(Dentry& entry, const NewInode& properties);
  virtual Result<void> link(Inode& target, Dentry& entry);
  virtual Result<void> unlink(Dentry& entry);
  virtual Result<void> remove_directory(Dentry& entry);
  // `this` is the old directory; both directories (and a replaced inode) are locked. For `replace`, target
  // may be negative.
  virtual Result<void> rename(Dentry& source, Inode& new_directory, Dentry& target, RenameKind kind);
  // O_TMPFILE: an inode without a name (link count 0).
  virtual Result<RefPtr<Inode>> create_temporary(const NewInode& properties);
  // After `lookup`-style access through a dentry flagged needs_validation; must not sleep, called under RCU.
  virtual bool is_stale() const { return false; }
  // Flags the dentries of this directory's children get (needs_validation).
  virtual std::uint32_t child_dentry_flags() const { return 0; }

  // ---- Any object ----
  // The file description for an open; the caller attaches path, flags and credentials. The default serves
  // devices, FIFOs (through their registries) and answers ENXIO for sockets.
  virtual Result<RefPtr<File>> open(const OpenRequest& request);
  // Text of a symbolic link that lies in memory for as long as the inode (empty: use follow()). Under RCU or
  // a reference.
  std::string_view inline_link() const { return {link_text_, link_length_}; }
  virtual Result<LinkTarget> follow(const Credentials& credentials);
  // readlink(2); the default is the inline text or that of follow().
  virtual Result<base::String> read_link(const Credentials& credentials);
  virtual Result<void> permission(const Credentials& credentials, Access access) const;
  // Called under RCU unless the inode has slow_attributes.
  virtual Result<void> get_attributes(Attributes& out);
  virtual Result<void> change_attributes(const AttributeChange& change);  // lock() held
  virtual Result<void> truncate(std::uint64_t size);                      // lock() held; sets size too
  // Pages for mmap, or null.
  virtual core::MemoryObject* memory_object() { return nullptr; }
  // The text /proc/PID/fd shows for an anonymous inode: "pipe:[123]".
  virtual void describe(base::TextSink& out) const;
  // inode flags of FS_IOC_GETFLAGS.
  virtual Result<std::uint32_t> attribute_flags() const;
  virtual Result<void> set_attribute_flags(std::uint32_t flags);

  // ---- Extended attributes; names with their prefix ----
  virtual Result<base::Vector<char>> get_xattr(std::string_view name);
  virtual Result<void> set_xattr(std::string_view name, std::span<const char> value, XattrMode mode);
  virtual Result<void> remove_xattr(std::string_view name);
  virtual void list_xattrs(base::TextSink& out);  // names, each followed by a zero byte

  // ---- Who writes, who executes (ETXTBSY) ----
  Result<void> acquire_write_access();
  void release_write_access() { writers_.fetch_sub(1, std::memory_order_acq_rel); }
  Result<void> deny_write_access();
  void allow_write_access() { writers_.fetch_add(1, std::memory_order_acq_rel); }

  // ---- Attached state ----
  InodeLocks* locks() const { return locks_.load(std::memory_order_acquire); }
  NotifyMarks* notify_marks() const { return notify_marks_.load(std::memory_order_acquire); }
  RefPtr<InodeAttachment> attachment() const;
  // The existing attachment, or `fresh` after having made it the attachment.
  RefPtr<InodeAttachment> attach(RefPtr<InodeAttachment> fresh);
  void detach();

 protected:
  // The last reference is gone: free data outside the inode. May sleep.
  virtual void evict() {}
  virtual bool evict_needs_locks() const { return false; }
  // An inode without names is about to have one reference left: what keeps it only for writing something back
  // can let go. Called by the thread that holds the other; may sleep.
  virtual void almost_unused() {}
  std::uint32_t reference_count() const { return references_.load(std::memory_order_acquire); }
  // `text` must live as long as the inode.
  void set_inline_link(std::string_view text) {
    link_text_ = text.data();
    link_length_ = static_cast<std::uint32_t>(text.size());
    set_size(text.size());
  }

 private:
  friend class InodeLocks;
  friend class NotifyMarks;
  friend struct LateEvictions;
  void evict_and_free();
  // Two words read without a lock: a reader may see seconds and nanoseconds of different stamps, as on Linux.
  struct AtomicTime {
    std::atomic<std::int64_t> seconds{0};
    std::atomic<std::uint32_t> nanoseconds{0};
    Timestamp load() const {
      return {seconds.load(std::memory_order_relaxed), nanoseconds.load(std::memory_order_relaxed)};
    }
    void store(Timestamp t) {
      seconds.store(t.seconds, std::memory_order_relaxed);
      nanoseconds.store(t.nanoseconds, std::memory_order_relaxed);
    }
  };

  void set_time(AtomicTime& which, Timestamp time) {
    which.store(time);
    // After the time (release): see touch_accessed().
    access_fresh_until_.store(0, std::memory_order_release);
  }
  bool access_time_says_enough(Timestamp now) const;

  mutable std::atomic<std::uint32_t> references_{1};
  std::atomic<Mode> mode_;
  std::atomic<UserId> uid_;
  std::atomic<GroupId> gid_;
  std::atomic<std::uint32_t> flags_{0};
  std::atomic<std::uint32_t> links_{1};
  std::atomic<std::int32_t> writers_{0};  // > 0: open for writing; < 0: being executed
  std::uint32_t link_length_ = 0;
  const char* link_text_ = nullptr;
  FileSystem& file_system_;
  std::uint64_t number_;
  std::atomic<std::uint64_t> size_{0};
  DeviceNumber device_;
  AtomicTime access_time_, modify_time_, change_time_;
  Timestamp birth_time_;
  // In units of the raw counter: until then relatime leaves the access time alone, unless a time is set.
  std::atomic<std::uint64_t> access_fresh_until_{0};
  core::RwMutex lock_;
  std::atomic<InodeLocks*> locks_{nullptr};
  std::atomic<NotifyMarks*> notify_marks_{nullptr};
  std::atomic<InodeAttachment*> attachment_{nullptr};
  core::RcuHead rcu_;
  Inode* next_evicted_ = nullptr;  // of those that the worker evicts
};

// Waits until the worker has evicted what was left to it.
void finish_evictions();

// The owner, group and other bits against credentials with their capabilities, as permission(7) has them.
// Under RCU too.
Result<void> generic_permission(const Inode& inode, const Credentials& credentials, Access access);
// permission() plus what holds for every file system (immutable, read-only device nodes are the mount's
// business).
inline Result<void> check_permission(const Inode& inode, const Credentials& credentials, Access access) {
  return inode.has(Inode::custom_permission) ? inode.permission(credentials, access)
                                             : generic_permission(inode, credentials, access);
}

}  // namespace vfs
