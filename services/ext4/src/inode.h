// A file, directory, link or node of ext4 in memory.
//
// What the disk record says is spread over vfs::Inode's attributes and the members here; store() writes all
// of it. The record is written by each operation that changes something structural, in its transaction; time
// stamps and sizes that reads and writes change are written later: with the pages, by fsync and sync, and at
// the end.
#pragma once

#include "block/file_blocks.h"
#include "block/volume.h"
#include "core/sync/rw_mutex.h"
#include "file_system.h"
#include "page_cache/page_cache.h"
#include "vfs/inode.h"

namespace ext4 {

using vfs::Dentry;
using vfs::NewInode;

// Where a logical block lies. physical 0: a hole of `count` blocks.
struct Mapping {
  std::uint64_t physical = 0;
  std::uint32_t count = 0;
  bool unwritten = false;
  bool is_hole() const { return physical == 0; }
};

class Ext4Inode final : public vfs::Inode, public page_cache::PageStore {
 public:
  Ext4Inode(Ext4FileSystem& file_system, std::uint32_t number, const NewInode& properties);
  ~Ext4Inode() override;

  Ext4FileSystem& ext4() const { return static_cast<Ext4FileSystem&>(file_system()); }
  std::uint32_t inode_number() const { return static_cast<std::uint32_t>(number()); }

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
  Result<RefPtr<Inode>> create_temporary(const NewInode& properties) override;
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<vfs::LinkTarget> follow(const vfs::Credentials& credentials) override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  Result<void> change_attributes(const vfs::AttributeChange& change) override;
  Result<void> truncate(std::uint64_t size) override;
  core::MemoryObject* memory_object() override { return cache_.get(); }
  Result<std::uint32_t> attribute_flags() const override;
  Result<void> set_attribute_flags(std::uint32_t flags) override;
  Result<base::Vector<char>> get_xattr(std::string_view name) override;
  Result<void> set_xattr(std::string_view name, std::span<const char> value, vfs::XattrMode mode) override;
  Result<void> remove_xattr(std::string_view name) override;
  void list_xattrs(base::TextSink& out) override;

  // ---- page_cache::PageStore ----
  bool is_memory() const override { return false; }
  Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<void> write_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<bool> reserve_page(std::uint64_t index) override;
  void cancel_reservation(std::uint64_t pages) override;
  void first_page_dirtied() override { acquire_reference(); }
  void last_page_cleaned() override { release_reference(); }

  // ---- inode.cpp ----
  // What a record's block map says of a device node.
  static vfs::DeviceNumber decode_device(const std::uint8_t* block);
  Result<void> load();
  // A fresh inode: writes its record.
  Result<void> initialise(Handle& handle, std::uint32_t generation, const Ext4Inode& parent);
  Result<void> store(Handle& handle);
  // If something is newer in memory: its own transaction.
  Result<void> store_if_changed();
  Result<void> sync(std::uint64_t from, std::uint64_t to, bool data_only);
  static constexpr unsigned store_credits = 1;
  // Nobody has a reference any more: it is being evicted, or will be.
  bool is_leaving() const { return reference_count() == 0; }
  page_cache::PageCache* cache() const { return cache_.get(); }
  std::uint32_t disk_flags() const { return disk_flags_; }
  std::uint32_t checksum_seed() const { return checksum_seed_; }
  std::uint32_t last_transaction() const { return last_transaction_.load(std::memory_order_acquire); }
  void add_blocks(std::int64_t blocks) {
    blocks_512_ += static_cast<std::uint64_t>(blocks) << (ext4().block_shift() - 9);
  }
  std::uint64_t block_total() const { return blocks_512_ >> (ext4().block_shift() - 9); }
  // Frees everything behind `size`, in as many transactions as it takes. No handle.
  Result<void> truncate_blocks(std::uint64_t size);

  // ---- extents.cpp; map_lock held (exclusively for changes) ----
  Result<Mapping> map(std::uint32_t logical);
  // block::FileMapper's: what lies where, holes left out.
  Result<void> for_each_run(base::FunctionRef<Result<void>(const block::FileRun&)> visit);
  Result<void> insert_extent(Handle& handle, std::uint32_t logical, BlockRun run, bool unwritten);
  Result<void> mark_written(Handle& handle, std::uint32_t logical, std::uint32_t count);
  // Frees part of [from, to): `done` when nothing is left there; else call again with another handle.
  Result<bool> remove_extents(Handle& handle, std::uint32_t from, std::uint64_t to);
  void make_empty_extents();
  // ---- shift.cpp: no handle; the cache's contents lock held exclusively, nothing of it in memory ----
  // Blocks [from, to) go, and what is behind them moves down.
  Result<void> collapse_blocks(std::uint32_t from, std::uint32_t to, std::uint64_t new_size);
  // A hole of `count` blocks at `at`; what was there moves up.
  Result<void> insert_blocks(std::uint32_t at, std::uint32_t count, std::uint64_t new_size);
  static constexpr unsigned extent_credits = 32;
  core::RwMutex& map_lock() RETURN_CAPABILITY(map_lock_) { return map_lock_; }
  // Blocks [from, to) of holes get unwritten extents (fallocate).
  Result<void> allocate_range(std::uint64_t from, std::uint64_t to);

  // ---- directory.cpp; lock() held ----
  struct Found {
    std::uint32_t number = 0;
    std::uint8_t type = 0;
  };
  Result<Found> find_entry(std::string_view name);
  Result<void> add_entry(Handle& handle, std::string_view name, std::uint32_t number, vfs::Mode mode);
  Result<void> remove_entry(Handle& handle, std::string_view name);
  // The entry now means another inode (rename over it).
  Result<void> change_entry(Handle& handle, std::string_view name, std::uint32_t number, vfs::Mode mode);
  Result<bool> is_empty_directory();
  Result<void> make_first_block(Handle& handle, std::uint32_t parent);
  Result<void> set_parent(Handle& handle, std::uint32_t parent);
  Result<void> list(vfs::DirectorySink& sink, std::uint64_t& position);
  static constexpr unsigned entry_credits = 48;

  base::TreeHook table_hook;  // the file system's, under its inodes_mutex_
  std::uint32_t table_key = 0;
  bool is_orphan = false;  // under the orphan mutex

 protected:
  void evict() override;
  bool evict_needs_locks() const override { return true; }
  void almost_unused() override;

 private:
  friend class ExtentTree;
  friend class DirectoryAccess;
  friend class XattrAccess;
  friend class Ext4FileSystem;

  Result<RefPtr<Ext4Inode>> make_child(Handle& handle, const NewInode& properties);
  Result<void> try_allocate_range(std::uint64_t from, std::uint64_t to);
  Result<void> try_link(Inode& target, Dentry& entry);
  Result<void> try_rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind);
  Result<RefPtr<Inode>> create_named(Dentry& entry, const NewInode& properties, std::string_view link_target);
  Result<void> drop_name(Handle& handle, Ext4Inode& inode);
  Result<BufferRef> directory_block(std::uint32_t logical);
  Result<BufferRef> append_block(Handle& handle, std::uint32_t& logical);
  bool has_changed() const;
  Result<void> read_run(std::uint64_t first, std::span<core::Page* const> pages);
  Result<Mapping> map_indirect(std::uint32_t logical);
  static constexpr unsigned leaf_credits = 6;  // a leaf and the nodes above it
  unsigned shift_credits(std::uint64_t leaves);
  Result<void> shift_extents(Handle& handle, bool up, std::uint32_t from, std::uint32_t by);
  Result<bool> write_mapped(std::uint64_t first, std::span<core::Page* const> pages);
  Result<std::uint64_t> write_run(std::uint64_t at, std::uint64_t end, std::uint64_t first,
                                  std::span<core::Page* const> pages);
  void update_disk_size(std::uint64_t end);
  Result<void> delete_for_good();
  Result<void> set_link_target(Handle& handle, std::string_view target);
  Result<void> drop_xattr_block(Handle& handle);

  std::uint32_t disk_flags_ = 0, generation_ = 0, checksum_seed_ = 0, project_ = 0, version_ = 0;
  std::uint16_t extra_size_ = 32;
  std::uint64_t blocks_512_ = 0, xattr_block_ = 0;
  std::uint64_t disk_size_ = 0;  // what the record says: not beyond what is written
  std::uint32_t next_orphan_ = 0;
  vfs::Timestamp birth_;
  alignas(4) std::byte block_[60] = {};  // root of the extents, target of a short link, device number
  core::RwMutex map_lock_{"ext4 map"};
  core::Mutex record_mutex_{"ext4 record"};
  RefPtr<page_cache::PageCache> cache_;
  char* link_text_ = nullptr;
  std::atomic<std::uint32_t> last_transaction_{0}, last_data_transaction_{0};
  bool deleted_ = false, loaded_ = false;
  // What store() wrote last.
  struct Stored {
    vfs::Mode mode = 0;
    vfs::UserId uid = 0;
    vfs::GroupId gid = 0;
    std::uint32_t links = 0;
    std::uint64_t size = 0;
    vfs::Timestamp access, modify, change;
    bool operator==(const Stored&) const = default;
  };
  Stored now() const;
  Stored stored_;
  std::atomic<std::uint64_t> promised_pages_{0};  // delayed allocation
};

}  // namespace ext4
