// One mounted ext4.
//
// Locking, from the outside in: vfs inode locks, page-cache locks, a journal handle, map_lock of an inode,
// allocation_mutex_ (bitmaps, descriptors, counts), orphan_mutex_, inodes_mutex_, journal and buffer cache.
#pragma once

#include "base/intrusive_tree.h"
#include "buffer_cache.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "format.h"
#include "journal.h"
#include "vfs/file_system.h"

namespace ext4 {

class Ext4Inode;

// Blocks side by side on the disk.
struct BlockRun {
  std::uint64_t start = 0;
  std::uint32_t count = 0;
};

class Ext4FileSystem final : public vfs::FileSystem, public CommitListener {
 public:
  struct InodeTable;
  static constexpr std::uint64_t magic_number = 0xef53;
  explicit Ext4FileSystem(RefPtr<block::Volume> volume);
  ~Ext4FileSystem() override;
  Result<void> start(std::string_view options, bool read_only);
  // The end: what is left to write is written, the volume is released. Once; by the last user, or a failed
  // start.
  void finish();

  // ---- vfs::FileSystem ----
  Result<void> statistics(vfs::FileSystemStatistics& out) override;
  Result<void> sync() override;
  Result<void> remount(std::string_view data, bool read_only) override;
  void put_options(base::TextSink& out) const override;
  std::uint64_t maximum_size() const override;
  void unmounted() override;

  // ---- Geometry ----
  std::uint32_t block_size() const { return block_size_; }
  unsigned block_shift() const { return block_shift_; }
  std::uint64_t block_count() const { return block_count_; }
  std::uint32_t group_count() const { return group_count_; }
  std::uint32_t inodes_per_group() const { return inodes_per_group_; }
  std::uint32_t inode_size() const { return inode_size_; }
  std::uint32_t seed() const { return seed_; }
  bool has_checksums() const { return has_checksums_; }
  bool has_compatible(std::uint32_t feature) const { return feature_compatible_ & feature; }
  bool has_read_only(std::uint32_t feature) const { return feature_read_only_ & feature; }
  const SuperBlock& super() const { return *super_buffer_->as<SuperBlock>(super_within_); }
  BufferCache& buffers() { return buffers_; }
  Journal& journal() { return journal_; }
  bool is_writable() const { return writable_ && !journal_.is_aborted(); }
  block::Volume& volume() const { return *volume_; }

  // Something on the disk is not as it must be: reported once per kind of place, and no more is written
  // (errors=). Gives EUCLEAN for the caller to return.
  std::unexpected<Errno> corrupted(const char* what, std::uint64_t where);

  // ---- inodes.cpp ----
  // The one Ext4Inode for a number. EUCLEAN, EIO; ENOENT (ESTALE) if it is deleted.
  Result<RefPtr<Ext4Inode>> get_inode(std::uint32_t number);
  // The block and offset of its record.
  struct InodePlace {
    BufferRef buffer;
    std::uint32_t offset = 0;
    RawInode* raw() const { return buffer->as<RawInode>(offset); }
  };
  Result<InodePlace> find_record(std::uint32_t number);
  std::uint32_t inode_seed(std::uint32_t number, std::uint32_t generation) const;
  bool record_is_right(const InodePlace& place, std::uint32_t number) const;
  void seal_record(const InodePlace& place, std::uint32_t number) const;
  void forget_inode(Ext4Inode& inode);
  Result<void> insert_inode(Ext4Inode& inode);
  // Every inode in memory, one after the other, with a reference.
  void for_each_inode(base::FunctionRef<void(Ext4Inode&)> visit);

  // ---- block_allocator.cpp ----
  // Up to `count` blocks near `goal`, at least one. ENOSPC.
  Result<BlockRun> allocate_blocks(Handle& handle, std::uint64_t goal, std::uint32_t count);
  // A block of an extent tree, from what is kept for them if need be.
  Result<std::uint64_t> allocate_tree_block(Handle& handle, std::uint64_t goal);
  // A block of a directory or of attributes: none of those that are promised or kept.
  Result<std::uint64_t> allocate_name_block(Handle& handle, std::uint64_t goal);
  // Usable again after the handle's transaction. EUCLEAN for blocks that cannot be.
  Result<void> free_blocks(Handle& handle, BlockRun run);
  // Promises for delayed allocation. ENOSPC, also when what is left is root's.
  Result<void> reserve_blocks(std::uint64_t count);
  void unreserve_blocks(std::uint64_t count);
  std::uint64_t goal_for(const Ext4Inode& inode) const;
  // Freed blocks that the next commit makes usable.
  bool has_blocks_to_come();
  // Before anybody is told ENOSPC: gives dirty pages their blocks (which need less than was promised for
  // them) and commits. True: there may be more room now, it is worth another try. No handle, no map_lock.
  bool make_room();
  // Tells the device about free runs of at least `minimum` bytes within bytes [start, start + length) of the
  // volume; gives how many bytes. EINVAL, EOPNOTSUPP.
  Result<std::uint64_t> trim(std::uint64_t start, std::uint64_t length, std::uint64_t minimum);
  // What promises leave alone, so that the extent trees of what was promised can grow.
  static constexpr std::uint64_t blocks_for_trees = 64;
  static constexpr unsigned allocation_credits = 4;  // bitmap, descriptor, and one more group's

  // ---- inode_allocator.cpp ----
  Result<std::uint32_t> allocate_inode(Handle& handle, const Ext4Inode& parent, bool directory);
  Result<void> free_inode(Handle& handle, std::uint32_t number, bool directory);

  // ---- orphans.cpp ----
  // In the list (on the disk too) are inodes that must be deleted or truncated when they are found after a
  // crash.
  Result<void> add_orphan(Handle& handle, Ext4Inode& inode);
  Result<void> remove_orphan(Handle& handle, Ext4Inode& inode);
  Result<void> process_orphans();
  Result<void> read_orphan_file(base::Vector<std::uint32_t>& found);
  // In memory, without a reference: the caller keeps it alive by other means (it is an orphan).
  Ext4Inode* find_loaded(std::uint32_t number);

  // ---- CommitListener ----
  Result<void> before_commit() override;
  void after_commit(std::uint32_t transaction) override;
  void journal_failed(Errno code) override;

 private:
  friend struct GroupAccess;
  class FreeMap;
  struct FreedRun {
    std::uint32_t transaction = 0, group = 0, bit = 0, count = 0;
  };
  struct WaitingBlocks {
    base::Vector<std::uint64_t> blocks;  // a bit for each of the group; empty when nothing waits
    std::uint32_t runs = 0;              // in freed_
  };

  // ---- super_block.cpp ----
  Result<void> read_super();
  Result<void> check_super(const SuperBlock& super);
  Result<void> check_groups();
  Result<void> open_journal();
  Result<void> parse_options(std::string_view text);
  Result<void> write_super(block::Durability durability);
  Result<void> start_writing();
  Result<void> stop_writing();
  void drop_caches();
  SuperBlock* writable_super() { return super_buffer_->as<SuperBlock>(super_within_); }

  // ---- groups.cpp ----
  GroupDescriptor* descriptor(std::uint32_t group) const;
  BufferRef descriptor_buffer(std::uint32_t group) const;
  void seal_descriptor(std::uint32_t group);
  std::uint16_t descriptor_checksum(std::uint32_t group) const;
  std::uint64_t block_bitmap_of(std::uint32_t group) const;
  std::uint64_t inode_bitmap_of(std::uint32_t group) const;
  std::uint64_t inode_table_of(std::uint32_t group) const;
  std::uint32_t free_blocks_of(std::uint32_t group) const;
  std::uint32_t free_inodes_of(std::uint32_t group) const;
  std::uint32_t directories_of(std::uint32_t group) const;
  void set_free_blocks(std::uint32_t group, std::uint32_t count);
  void set_free_inodes(std::uint32_t group, std::uint32_t count);
  void set_directories(std::uint32_t group, std::uint32_t count);
  std::uint64_t first_block_of(std::uint32_t group) const {
    return first_data_block_ + std::uint64_t{group} * blocks_per_group_;
  }
  std::uint32_t blocks_in(std::uint32_t group) const;
  bool has_super_copy(std::uint32_t group) const;
  Result<BufferRef> block_bitmap(std::uint32_t group) REQUIRES(allocation_mutex_);
  Result<BufferRef> inode_bitmap(std::uint32_t group) REQUIRES(allocation_mutex_);
  void fill_unset_block_bitmap(std::uint32_t group, Buffer& bitmap) const;
  void seal_block_bitmap(std::uint32_t group, Buffer& bitmap);
  void seal_inode_bitmap(std::uint32_t group, Buffer& bitmap);
  Result<BlockRun> allocate_in_group(Handle& handle, std::uint32_t group, std::uint32_t from,
                                     std::uint32_t count, std::uint32_t wanted_at_least)
      REQUIRES(allocation_mutex_);
  Result<std::uint64_t> trim_group(std::uint32_t group, std::uint32_t from, std::uint32_t to,
                                   std::uint64_t minimum);
  Result<FreeMap> free_map(std::uint32_t group, BufferRef& bitmap) REQUIRES(allocation_mutex_);
  Result<void> wait_for_commit(std::uint32_t transaction, std::uint32_t group, std::uint32_t bit,
                               std::uint32_t count) REQUIRES(allocation_mutex_);
  bool may_use_reserved() const;
  bool is_system_block(std::uint64_t block) const;

  RefPtr<block::Volume> volume_;
  BufferCache buffers_;
  Journal journal_;
  BufferRef super_buffer_;
  std::uint32_t super_within_ = 0;
  base::Vector<BufferRef> descriptors_;
  std::uint32_t block_size_ = 1024, block_shift_ = 10, blocks_per_group_ = 0, inodes_per_group_ = 0,
                group_count_ = 0;
  std::uint32_t inode_size_ = 128, inodes_count_ = 0, descriptor_size_ = 32, first_data_block_ = 0, seed_ = 0;
  std::uint32_t first_inode_ = 11;
  std::uint64_t block_count_ = 0, reserved_for_root_ = 0;
  std::uint32_t feature_compatible_ = 0, feature_incompatible_ = 0, feature_read_only_ = 0;
  std::uint64_t overhead_blocks_ = 0;
  bool has_checksums_ = false, claimed_ = false, finished_ = false;
  bool skip_recovery_ = false;
  std::atomic<bool> writable_{false}, gone_{false}, reported_{false};
  enum class OnError { go_on, read_only, panic } on_error_ = OnError::go_on;
  std::uint64_t commit_interval_ns_ = 5'000'000'000;

  core::Mutex allocation_mutex_{"ext4 allocation"};
  std::atomic<std::uint64_t> free_blocks_{0}, free_inodes_{0};
  std::atomic<std::uint64_t> promised_blocks_{0};  // for delayed allocation
  // Blocks that were freed in transactions that are not committed: free on the disk, not for us yet.
  base::Vector<FreedRun> freed_ GUARDED_BY(allocation_mutex_);
  base::Vector<WaitingBlocks> waiting_ GUARDED_BY(allocation_mutex_);  // by group

  core::Mutex orphan_mutex_{"ext4 orphans"};
  base::Vector<std::uint32_t> orphans_
      GUARDED_BY(orphan_mutex_);  // the newest last: it is the head on the disk

  core::Mutex inodes_mutex_{"ext4 inodes"};
  core::WaitQueue inode_gone_;
  InodeTable* inodes_ = nullptr;
};

}  // namespace ext4
