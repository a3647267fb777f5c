// An object of the server's, as the guest knows it.
//
// It has a fid (the path by which it was found last) and, through its open files, open ones. The attributes
// in vfs::Inode are what the server said last; get_attributes() asks.
//
// While a file is mapped (uses_cache()), reads and writes go through the page cache, written through; the
// cache reads and writes with the open fids of those who mapped. The last close writes what is dirty, drops
// the pages and lets the fids go.
#pragma once

#include "file_system.h"
#include "page_cache/page_cache.h"
#include "vfs/inode.h"

namespace nine_p {

using vfs::Dentry;
using vfs::NewInode;

class NinePInode final : public vfs::Inode, public page_cache::PageStore {
 public:
  NinePInode(NinePFileSystem& file_system, Qid qid, const NewInode& properties);

  NinePFileSystem& nine_p() const { return static_cast<NinePFileSystem&>(file_system()); }
  Client& client() const { return nine_p().client(); }
  Result<void> start();  // its page cache

  // ---- vfs::Inode ----
  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<Inode>> create(Dentry& entry, const NewInode& properties) override;
  Result<RefPtr<Inode>> make_directory(Dentry& entry, const NewInode& properties) override;
  Result<RefPtr<Inode>> make_symlink(Dentry& entry, std::string_view target,
                                     const NewInode& properties) override;
  Result<RefPtr<Inode>> make_node(Dentry& entry, const NewInode& properties) override;
  Result<void> link(Inode& target, Dentry& entry) override;
  Result<void> unlink(Dentry& entry) override;
  Result<void> remove_directory(Dentry& entry) override;
  Result<void> rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind) override;
  bool is_stale() const override;
  std::uint32_t child_dentry_flags() const override { return Dentry::needs_validation; }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<vfs::LinkTarget> follow(const vfs::Credentials& credentials) override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  Result<void> change_attributes(const vfs::AttributeChange& change) override;
  Result<void> truncate(std::uint64_t size) override;
  core::MemoryObject* memory_object() override { return cache_.get(); }
  Result<base::Vector<char>> get_xattr(std::string_view name) override;
  Result<void> set_xattr(std::string_view name, std::span<const char> value, vfs::XattrMode mode) override;
  Result<void> remove_xattr(std::string_view name) override;
  void list_xattrs(base::TextSink& out) override;

  // ---- page_cache::PageStore ----
  bool is_memory() const override { return false; }
  Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<void> write_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  void first_page_dirtied() override { acquire_reference(); }
  void last_page_cleaned() override { release_reference(); }

  // ---- Fids ----
  RefPtr<Fid> fid() const;
  void set_fid(RefPtr<Fid> fid);
  // An open fid if there is one: works also without a name.
  RefPtr<Fid> any_fid() const;
  // What create() opened, for the open() that follows it.
  RefPtr<Fid> take_created();

  // ---- Attributes ----
  void apply(const ServerAttributes& attributes);
  Result<void> refresh();

  // ---- Open files ----
  page_cache::PageCache* cache() const { return cache_.get(); }
  void file_opened(const RefPtr<Fid>& fid);
  void file_closed();
  bool uses_cache() const { return uses_cache_.load(); }
  // From here on through the page cache, which may use `fid`.
  void start_caching(const RefPtr<Fid>& fid, bool can_read, bool can_write);

  base::TreeHook table_hook;  // the file system's, under its inodes_mutex_
  const std::uint64_t table_key;

 protected:
  void evict() override;
  bool evict_needs_locks() const override { return true; }

 private:
  Result<RefPtr<Inode>> finish_make(Dentry& entry, const NewInode& properties);
  Result<void> remove(Dentry& entry, std::uint32_t flags);
  void name_removed(Dentry& entry);
  Result<void> store_xattr(std::string_view name, std::span<const char> value, std::uint32_t flags);
  Result<base::Vector<char>> read_xattr(std::string_view name);

  const std::uint8_t qid_type_;
  std::atomic<std::uint64_t> blocks_512_{0}, refreshed_ns_{0};
  std::atomic<std::uint32_t> block_size_{4096};
  mutable core::Mutex fid_mutex_{"9p fid"};
  RefPtr<Fid> fid_ GUARDED_BY(fid_mutex_);
  RefPtr<Fid> created_ GUARDED_BY(fid_mutex_);
  RefPtr<Fid> opened_ GUARDED_BY(fid_mutex_);                                  // of one of the open files
  RefPtr<Fid> reader_ GUARDED_BY(fid_mutex_), writer_ GUARDED_BY(fid_mutex_);  // the cache's
  unsigned open_files_ GUARDED_BY(fid_mutex_) = 0;
  std::atomic<bool> uses_cache_{false};
  RefPtr<page_cache::PageCache> cache_;  // of a regular file
};

// Mode bits of Tlopen and Tlcreate.
inline constexpr std::uint32_t open_read_only = 0, open_write_only = 1, open_read_write = 2;
// Reads at most what one message takes; short at the end of the file.
Result<std::size_t> read_once(Client& client, const Fid& fid, std::uint64_t offset, std::size_t count,
                              base::FunctionRef<std::size_t(std::span<const std::byte>)> take);
// Writes what `fill` puts into the room for it, at most `count`; gives how much the server took.
Result<std::size_t> write_once(Client& client, const Fid& fid, std::uint64_t offset, std::size_t count,
                               base::FunctionRef<std::size_t(std::span<std::byte>)> fill);

}  // namespace nine_p
