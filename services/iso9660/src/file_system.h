// One mounted disc.
//
// Locking: the byte cache's and the inode table's mutexes, which are leaves.
#pragma once

#include "byte_cache/read_only.h"
#include "record.h"
#include "vfs/file_system.h"

namespace iso9660 {

using base::RefPtr;

class IsoInode;

struct Options {
  vfs::UserId uid = 0;
  vfs::GroupId gid = 0;
  vfs::Mode file_mode = 0, directory_mode = 0;
  bool has_uid = false, has_gid = false, has_file_mode = false, has_directory_mode = false;
  bool use_rock_ridge = true, use_joliet = true, map_names = true, show_hidden = false,
       show_associated = false;
  std::uint32_t first_block = 0;
};

class IsoFileSystem final : public vfs::FileSystem {
 public:
  static constexpr std::uint64_t magic_number = 0x9660;
  explicit IsoFileSystem(RefPtr<block::Volume> volume);
  ~IsoFileSystem() override;
  Result<void> start(std::string_view options);
  // The end: the volume is released. Once; by the last user, or a failed start.
  void finish();

  // ---- vfs::FileSystem ----
  Result<void> statistics(vfs::FileSystemStatistics& out) override;
  Result<void> remount(std::string_view data, bool read_only) override;
  void put_options(base::TextSink& out) const override;
  void unmounted() override;

  block::Volume& volume() const { return *volume_; }
  const Options& options() const { return options_; }
  std::uint32_t block_bytes() const { return block_bytes_; }
  bool has_rock_ridge() const { return has_rock_ridge_; }
  // Logs what is wrong; EIO.
  std::unexpected<Errno> corrupted(const char* what, std::uint64_t where);
  Result<void> read(std::uint64_t offset, std::span<std::byte> out);
  // The record at a place of the volume; length 0: there is none up to the end of the sector.
  Result<void> read_record(std::uint64_t place, Record& out);

  // ---- rock_ridge.cpp ----
  Result<void> read_rock_ridge(const Record& record, RockRidge& out);
  // ---- names.cpp ----
  // As it is shown, at most name_max bytes; none: it is not shown.
  std::string_view name_of(const Record& record, const RockRidge& rock_ridge,
                           std::span<char, 256> memory) const;

  // By the place of its (first) record.
  Result<RefPtr<IsoInode>> get_inode(std::uint64_t place);
  byte_cache::InodeTable<IsoInode>& inodes();

 private:
  struct Table;
  Result<void> parse_options(std::string_view text);
  Result<void> parse_option(const vfs::MountOption& option);
  Result<void> find_descriptors();
  Result<void> look_for_rock_ridge();

  RefPtr<block::Volume> volume_;
  byte_cache::ByteCache bytes_;
  Options options_;
  std::uint32_t block_bytes_ = sector_bytes, block_count_ = 0;
  std::uint64_t root_ = 0, joliet_root_ = 0;  // places of the root directories
  bool has_rock_ridge_ = false, is_joliet_ = false, claimed_ = false, finished_ = false;
  std::size_t rock_ridge_skip_ = 0;
  std::atomic<unsigned> complaints_{0};
  Table* table_ = nullptr;
};

}  // namespace iso9660
