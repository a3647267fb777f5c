// Files whose content is made when they are read: the toolkit of procfs, sysfs and their like.
//
//   Result<void> show_uptime(base::TextSink& out);
//   TRY(root.add("uptime", TRY(make_text(0444, show_uptime))));
//
// An Entry is what stands in the file system: Text, Link, Directory (StaticDirectory holds named entries;
// derived ones make them up), or anything that overrides open(). Inodes and dentries are made when a path
// leads there and may be forgotten at any time; entries are what lasts. An entry that stands for something
// that can end (a process) says so with is_stale() and set_transient().
//
// A text is generated as a whole at the first read, and again at each read from offset 0, so a reader sees
// one consistent text however small the pieces are. Numbers in it must be real: what the kernel does not know
// is left out.
//
// Context: show, store, find and list run in threads that may sleep, without locks held by the toolkit,
// except where noted.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/format.h"
#include "base/function_ref.h"
#include "base/string.h"
#include "core/sync/rw_mutex.h"
#include "vfs/directory.h"
#include "vfs/file.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/poll.h"

namespace pseudo_fs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

class Entry : public base::RefCounted<Entry> {
 public:
  explicit Entry(vfs::Mode mode);
  virtual ~Entry() = default;

  vfs::Mode mode() const { return mode_; }
  std::uint64_t number() const { return number_; }

  struct Owner {
    vfs::UserId uid = 0;
    vfs::GroupId gid = 0;
  };
  // Asked at each stat and permission check if it can change; may then sleep.
  virtual Owner owner() const { return {}; }
  virtual bool has_changing_owner() const { return false; }
  // What it stands for is gone. Must not sleep (asked under RCU). Only for entries of transient directories.
  virtual bool is_stale() const { return removed_.load(std::memory_order_relaxed); }
  // Taken out of its directory for good.
  void mark_removed() { removed_.store(true, std::memory_order_relaxed); }
  // Beyond the mode bits; only asked when has_custom_permission().
  virtual bool has_custom_permission() const { return false; }
  virtual Result<void> permission(const vfs::Inode& inode, const vfs::Credentials& credentials,
                                  vfs::Access access) const;
  virtual std::uint64_t size() const { return 0; }
  virtual std::uint32_t link_count() const { return 1; }
  virtual Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) = 0;
  virtual Result<vfs::LinkTarget> follow(const vfs::Credentials& credentials) { return error(Errno::einval); }
  // What readlink gives where follow() jumps to a place; empty: the text of that place.
  virtual Result<base::String> link_text(const vfs::Credentials& credentials) { return base::String(); }
  virtual bool is_magic_link() const { return false; }

 private:
  vfs::Mode mode_;
  std::atomic<bool> removed_{false};
  std::uint64_t number_;
};

// ---- Text ----

class Text : public Entry {
 public:
  explicit Text(vfs::Mode permissions) : Entry(vfs::mode_regular | permissions) {}
  // With what the opener may know: `credentials` are those of the open.
  virtual Result<void> show(base::TextSink& out, const vfs::Credentials& credentials) = 0;
  // What was written in one call (at most 64 KiB), as it came, usually with a newline at the end.
  virtual Result<void> store(std::string_view text, const vfs::Credentials& credentials) {
    return error(Errno::einval);
  }
  // Whether and on what one can wait for a change; `state` is kept per open file, starts as 0.
  virtual vfs::PollEvents poll(vfs::PollWaiter* waiter, std::uint64_t& state) {
    return vfs::poll_readable | vfs::poll_writable;
  }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
};

using ShowFunction = Result<void> (*)(base::TextSink& out);
using StoreFunction = Result<void> (*)(std::string_view text);
Result<RefPtr<Entry>> make_text(vfs::Mode permissions, ShowFunction show, StoreFunction store = nullptr);
// Text that never changes (sysfs attributes of devices).
Result<RefPtr<Entry>> make_constant(vfs::Mode permissions, std::string_view text);

// ---- Links ----

// A symbolic link with a text that stays.
Result<RefPtr<Entry>> make_link(std::string_view target);

class Link : public Entry {
 public:
  explicit Link(vfs::Mode permissions = 0777) : Entry(vfs::mode_symlink | permissions) {}
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest&) override { return error(Errno::eloop); }
};

// ---- Directories ----

class ListSink {
 public:
  // One entry; `position` is its place in the order of the listing, at least first_position. `full`: stop.
  virtual vfs::SinkState entry(std::string_view name, std::uint64_t number, std::uint8_t type,
                               std::uint64_t position) = 0;

 protected:
  ~ListSink() = default;
};

class Directory : public Entry {
 public:
  static constexpr std::uint64_t first_position = 2;  // "." and ".." come before
  explicit Directory(vfs::Mode permissions = 0555) : Entry(vfs::mode_directory | permissions) {}
  // ENOENT (or null) when there is none.
  virtual Result<RefPtr<Entry>> find(std::string_view name) = 0;
  // From `position` on, in rising order.
  virtual Result<void> list(std::uint64_t position, ListSink& sink) = 0;
  // Children come and go by themselves: their dentries are checked with is_stale() at each use.
  virtual bool is_transient() const { return false; }
  std::uint32_t link_count() const override { return 2; }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
};

// Named entries, added and removed by the kernel.
class StaticDirectory : public Directory {
 public:
  using Directory::Directory;
  Result<void> add(std::string_view name, RefPtr<Entry> entry);  // EEXIST
  void remove(std::string_view name);
  Result<RefPtr<Entry>> find(std::string_view name) override;
  Result<void> list(std::uint64_t position, ListSink& sink) override;
  // The directory of that name, made if missing; ENOTDIR when something else has the name.
  Result<RefPtr<StaticDirectory>> directory(std::string_view name);
  // The same along a path "a/b/c".
  Result<RefPtr<StaticDirectory>> directories(std::string_view path);
  std::uint32_t link_count() const override { return subdirectories_.load(std::memory_order_relaxed) + 2; }
  bool is_transient() const override { return true; }

 private:
  struct Named {
    base::String name;
    RefPtr<Entry> entry;
    std::uint64_t position;
    bool is_directory = false;
  };
  core::RwMutex lock_{"pseudo directory"};
  base::Vector<Named> entries_ GUARDED_BY(lock_);
  std::uint64_t next_position_ GUARDED_BY(lock_) = first_position;
  std::atomic<std::uint32_t> subdirectories_{0};
};

// Names that a derived directory has in any case, in the order of the listing.
struct FixedEntry {
  std::string_view name;
  vfs::Mode mode;  // with type
};

// ---- File systems of entries ----

class PseudoFileSystem : public vfs::FileSystem {
 public:
  using FileSystem::FileSystem;
  // The file size that stat shows for texts (sysfs: a page).
  virtual std::uint64_t shown_size(const Entry& entry) const { return entry.size(); }
  bool remembers_missing_names() const override { return false; }
  Result<void> start(RefPtr<Entry> root);
};
// The entry behind an inode of such a file system.
Entry& entry_of(vfs::Inode& inode);

}  // namespace pseudo_fs
