// One mounted FAT: geometry, the allocation table, inodes.
//
// Locking, from the outside in: vfs inode locks, page-cache locks, an inode's chain_mutex, table_mutex_,
// inodes_mutex_, the byte cache.
#pragma once

#include "base/intrusive_tree.h"
#include "byte_cache/byte_cache.h"
#include "core/sync/wait_queue.h"
#include "format.h"
#include "options.h"
#include "vfs/file_system.h"

namespace vfat {

using base::RefPtr;

class VfatInode;

class VfatFileSystem final : public vfs::FileSystem {
 public:
  static constexpr std::uint64_t magic_number = 0x4d44;
  explicit VfatFileSystem(RefPtr<block::Volume> volume);
  ~VfatFileSystem() override;
  Result<void> start(const Options& defaults, std::string_view options, bool read_only);
  // The end: everything is written, the volume is released. Once; by the last user, or a failed start.
  void finish();

  // ---- vfs::FileSystem ----
  bool remembers_missing_names() const override { return false; }  // other spellings may come to mean a file
  Result<void> statistics(vfs::FileSystemStatistics& out) override;
  Result<void> sync() override;
  Result<void> remount(std::string_view data, bool read_only) override;
  void put_options(base::TextSink& out) const override { options_.put(out); }
  std::uint64_t maximum_size() const override { return 0xffffffff; }
  void unmounted() override;

  block::Volume& volume() const { return *volume_; }
  byte_cache::ByteCache& bytes() { return bytes_; }
  const Options& options() const { return options_; }
  bool is_writable() const { return writable_.load() && !is_read_only(); }
  std::uint32_t cluster_bytes() const { return cluster_bytes_; }
  std::uint32_t cluster_end() const { return cluster_end_; }  // the first number that is no cluster
  std::uint64_t place_of(std::uint32_t cluster) const {
    return data_start_ + std::uint64_t{cluster - first_cluster} * cluster_bytes_;
  }
  bool is_cluster(std::uint32_t cluster) const { return cluster >= first_cluster && cluster < cluster_end_; }
  bool is_fat32() const { return bits_ == 32; }
  // FAT12 and FAT16: where the root directory lies; no bytes: it is a chain.
  std::uint64_t root_start() const { return root_start_; }
  std::uint32_t root_bytes() const { return root_bytes_; }
  std::uint32_t root_cluster() const { return root_cluster_; }

  // Damage: a line in the log, and errors= applies. Gives EIO to return.
  std::unexpected<Errno> corrupted(const char* what, std::uint64_t where);

  // ---- table.cpp ----
  // What follows a cluster in its chain; end_of_chain. EIO for what cannot be.
  static constexpr std::uint32_t end_of_chain = 0xffffffff;
  Result<std::uint32_t> next_of(std::uint32_t cluster);
  // A free cluster near `after`, now the last of the chain that `after` ends (0: of a new one). ENOSPC.
  Result<std::uint32_t> allocate(std::uint32_t after);
  // Ends the chain at `last` (0: nothing is kept) and frees `count` clusters at most from `first` on.
  Result<void> cut(std::uint32_t last, std::uint32_t first);

  // ---- inodes ----
  // By the place of its short entry on the volume; made from the entry if it is not in memory.
  Result<RefPtr<VfatInode>> get_inode(std::uint64_t place, const ShortEntry& entry);
  void forget_inode(VfatInode& inode);
  // Its entry moved to `place`, or is gone (0).
  void move_inode(VfatInode& inode, std::uint64_t place);
  // Makes the inode's place on the disk known to those who look for it: no other inode has it.
  void count_inode();
  std::uint64_t next_number() { return next_number_.fetch_add(1); }

 private:
  struct InodeTable;
  Result<void> read_boot_sector();
  Result<void> check_boot_sector(const BootSector& boot);
  Result<void> read_info_sector();
  Result<void> write_info_sector();
  Result<void> set_dirty_bit(bool dirty);
  Result<void> start_writing();
  Result<void> stop_writing();
  void for_each_inode(base::FunctionRef<void(VfatInode&)> visit);

  Result<std::uint32_t> get_entry(std::uint32_t cluster) REQUIRES(table_mutex_);
  Result<void> set_entry(std::uint32_t cluster, std::uint32_t value) REQUIRES(table_mutex_);
  Result<std::uint32_t> find_free(std::uint32_t from, std::uint32_t to) REQUIRES(table_mutex_);
  Result<void> count_free() REQUIRES(table_mutex_);
  // Calls `use(cluster, value)` for each in [from, to) until it says no.
  Result<void> scan(std::uint32_t from, std::uint32_t to,
                    base::FunctionRef<bool(std::uint32_t, std::uint32_t)> use) REQUIRES(table_mutex_);

  RefPtr<block::Volume> volume_;
  byte_cache::ByteCache bytes_;
  Options options_;
  unsigned bits_ = 0, tables_ = 0;
  std::uint32_t sector_bytes_ = 512, cluster_bytes_ = 0, cluster_end_ = 0, root_bytes_ = 0, root_cluster_ = 0;
  std::uint64_t table_start_ = 0, table_bytes_ = 0, root_start_ = 0, data_start_ = 0, info_place_ = 0;
  std::uint32_t serial_ = 0;
  bool claimed_ = false, finished_ = false;
  std::atomic<bool> was_dirty_{false};  // or damage was met: only a check of the whole makes it clean
  std::atomic<bool> writable_{false};
  std::atomic<std::uint64_t> next_number_{2};

  core::Mutex table_mutex_{"vfat table"};
  std::uint32_t free_count_ GUARDED_BY(table_mutex_) = 0;  // if known
  std::uint32_t next_free_ GUARDED_BY(table_mutex_) = first_cluster;
  bool free_is_known_ GUARDED_BY(table_mutex_) = false;

  core::Mutex inodes_mutex_{"vfat inodes"};
  core::WaitQueue inode_gone_;
  InodeTable* inodes_ = nullptr;
  std::size_t inode_count_ GUARDED_BY(inodes_mutex_) = 0;
  bool gone_ GUARDED_BY(inodes_mutex_) = false;
};

}  // namespace vfat
