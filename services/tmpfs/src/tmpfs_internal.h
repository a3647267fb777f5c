#pragma once

#include <atomic>

#include "page_cache/page_cache.h"
#include "tmpfs/tmpfs.h"
#include "vfs/access_list.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace tmpfs {

using base::Errno;
using base::error;
using vfs::Dentry;
using vfs::Inode;
using vfs::NewInode;

class TmpfsFileSystem final : public vfs::FileSystem, public page_cache::PageStore {
 public:
  static constexpr std::uint64_t tmpfs_magic = 0x01021994, ramfs_magic = 0x858458f6;
  enum class Limits { none, half_of_memory };

  TmpfsFileSystem(const vfs::FileSystemType& type, std::uint64_t magic)
      : FileSystem(type, magic, type.name()) {}
  using Verdict = vfs::FileSystemType::OptionVerdict;
  static Verdict check_option(std::string_view option);
  Result<void> start(std::string_view options, Limits limits, vfs::Mode root_mode);

  bool dentries_are_storage() const override { return true; }
  Result<void> statistics(vfs::FileSystemStatistics& out) override;
  Result<void> remount(std::string_view data, bool read_only) override;
  void put_options(base::TextSink& out) const override;

  Result<void> charge(std::uint64_t pages) override;
  void uncharge(std::uint64_t pages) override;
  bool may_swap() const override {
    return magic() == tmpfs_magic && &type() == &tmpfs_type && !shown_.no_swap;
  }
  Result<void> charge_inode();
  void uncharge_inode() { inodes_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint64_t next_inode_number() { return next_inode_.fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Options {
    std::uint64_t pages = 0, inodes = 0;  // 0: no limit
    vfs::Mode mode = 01777;
    vfs::UserId uid = 0;
    vfs::GroupId gid = 0;
    bool pages_given = false, inodes_given = false, no_swap = false;
  };
  static Verdict parse_option(const vfs::MountOption& option, Options& options);
  static Result<void> parse(std::string_view text, Options& options);

  std::atomic<std::uint64_t> pages_{0}, inodes_{0};
  std::atomic<std::uint64_t> pages_max_{0}, inodes_max_{0};
  std::atomic<std::uint64_t> next_inode_{1};
  Options shown_;
};

struct Xattr {
  base::String name;
  base::Vector<char> value;
};

// What few inodes have. Changed under the inode's lock; the access list is read under RCU too.
struct Extras {
  Extras() = default;
  Extras(const Extras&) = delete;
  Extras& operator=(const Extras&) = delete;
  ~Extras() { delete access_list.load_locked(); }

  base::Vector<Xattr> xattrs;
  core::RcuPointer<vfs::AccessList> access_list;
  vfs::AccessList::Pointer default_list;  // of a directory
};

class TmpfsInode final : public Inode {
 public:
  TmpfsInode(TmpfsFileSystem& file_system, const NewInode& properties);
  ~TmpfsInode() override;

  Result<RefPtr<Inode>> create(Dentry& entry, const NewInode& properties) override;
  Result<RefPtr<Inode>> make_directory(Dentry& entry, const NewInode& properties) override;
  Result<RefPtr<Inode>> make_symlink(Dentry& entry, std::string_view target,
                                     const NewInode& properties) override;
  Result<RefPtr<Inode>> make_node(Dentry& entry, const NewInode& properties) override;
  Result<void> link(Inode& target, Dentry& entry) override;
  Result<void> unlink(Dentry& entry) override;
  Result<void> remove_directory(Dentry& entry) override;
  Result<void> rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind) override;
  Result<RefPtr<Inode>> create_temporary(const NewInode& properties) override;
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  Result<void> change_attributes(const vfs::AttributeChange& change) override;
  Result<void> permission(const vfs::Credentials& credentials, vfs::Access access) const override;
  Result<void> truncate(std::uint64_t size) override;
  core::MemoryObject* memory_object() override { return cache(); }
  void describe(base::TextSink& out) const override;
  Result<base::Vector<char>> get_xattr(std::string_view name) override;
  Result<void> set_xattr(std::string_view name, std::span<const char> value, vfs::XattrMode mode) override;
  Result<void> remove_xattr(std::string_view name) override;
  void list_xattrs(base::TextSink& out) override;

  TmpfsFileSystem& tmpfs() const { return static_cast<TmpfsFileSystem&>(file_system()); }
  page_cache::PageCache* cache() const { return cache_.load(std::memory_order_acquire); }
  Result<page_cache::PageCache*> ensure_cache();
  Result<void> set_text(std::string_view text);  // link target, or name of a memfd
  void become_directory();
  unsigned seals() const { return seals_.load(std::memory_order_acquire); }
  void set_seals(unsigned seals) { seals_.store(seals, std::memory_order_release); }

 protected:
  void evict() override;

 private:
  static constexpr std::uint64_t entry_size =
      20;  // what a name adds to the size of its directory, as on Linux
  // acquire: what ensure_extras() made is complete.
  Extras* extras() const { return extras_.load(std::memory_order_acquire); }
  Result<Extras*> ensure_extras();
  Result<void> set_access_list(std::string_view name, vfs::AccessList::Pointer list);
  void publish_access_list(Extras& extras, vfs::AccessList::Pointer list);
  Result<void> inherit_list(const TmpfsInode& directory);
  void entry_added();
  void entry_removed();

  std::atomic<page_cache::PageCache*> cache_{nullptr};  // holds a reference
  char* text_ = nullptr;
  std::atomic<unsigned> seals_{0};
  std::atomic<Extras*> extras_{nullptr};  // made under lock()
};

Result<RefPtr<TmpfsInode>> make_inode(TmpfsFileSystem& file_system, const NewInode& properties);
// The description of an open regular file.
Result<RefPtr<vfs::File>> make_file();

}  // namespace tmpfs
