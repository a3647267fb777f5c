// One mounted squashfs: its tables, and blocks that were taken apart lately.
//
// Locking: inode locks and page-cache locks come before blocks_mutex_, a leaf that is not held while
// something is read or decompressed.
#pragma once

#include <array>

#include "base/function_ref.h"
#include "base/vector.h"
#include "byte_cache/read_only.h"
#include "core/sync/mutex.h"
#include "format.h"
#include "vfs/file_system.h"

namespace squashfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

class SquashInode;

// A block after decompression; shared by those who read in it.
struct Block : base::RefCounted<Block> {
  std::uint64_t place = 0;  // on the volume
  std::uint64_t next = 0;   // of metadata: where the next one begins
  base::Vector<std::byte> bytes;
};

// A place in metadata: a block by its place on the volume, and a byte in it.
struct Cursor {
  std::uint64_t block = 0;
  std::size_t offset = 0;
};

class SquashFileSystem final : public vfs::FileSystem {
 public:
  explicit SquashFileSystem(RefPtr<block::Volume> volume);
  ~SquashFileSystem() override;
  Result<void> start(std::string_view options);
  // The end: the volume is released. Once; by the last user, or a failed start.
  void finish();

  // ---- vfs::FileSystem ----
  Result<void> statistics(vfs::FileSystemStatistics& out) override;
  Result<void> remount(std::string_view data, bool read_only) override;
  void put_options(base::TextSink& out) const override { out.put(",errors=continue"); }
  void unmounted() override;

  const SuperBlock& super() const { return super_; }
  std::uint32_t block_size() const { return super_.block_size; }
  // Logs what is wrong; EIO.
  std::unexpected<Errno> corrupted(const char* what, std::uint64_t where);

  // ---- blocks.cpp ----
  // Copies metadata and moves the cursor behind it.
  Result<void> read(Cursor& cursor, std::span<std::byte> out);
  template <typename T>
  Result<T> get(Cursor& cursor) {
    T value;
    TRY(read(cursor, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }
  // A block of data of `size` bytes (as lists have it, with data_plain) that may become at most block_size().
  Result<RefPtr<Block>> data_block(std::uint64_t place, std::uint32_t size);
  // An element of a table whose index of blocks is at `index`.
  template <typename T>
  Result<T> table_element(std::uint64_t index, std::uint64_t number) {
    T value;
    TRY(read_table(index, number * sizeof(T), std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }

  Result<std::uint32_t> id(std::uint16_t index);
  Result<Fragment> fragment(std::uint32_t index);
  Result<XattrId> xattr_id(std::uint32_t index);
  std::uint64_t xattr_start() const { return xattr_start_; }
  bool has_xattrs() const { return super_.xattr_table != no_table; }

  // By its reference: block of the inode table and offset.
  Result<RefPtr<SquashInode>> get_inode(std::uint64_t reference);
  byte_cache::InodeTable<SquashInode>& inodes();

 private:
  struct Table;
  Result<void> read_super();
  Result<void> read_table(std::uint64_t index, std::uint64_t offset, std::span<std::byte> out);
  Result<RefPtr<Block>> metadata_block(std::uint64_t place);
  Result<void> unpack(std::span<const std::byte> packed, std::size_t limit, base::Vector<std::byte>& out);
  template <std::size_t count>
  RefPtr<Block> find_block(std::array<RefPtr<Block>, count>& blocks, std::uint64_t place)
      EXCLUDES(blocks_mutex_);
  template <std::size_t count>
  void keep_block(std::array<RefPtr<Block>, count>& blocks, RefPtr<Block> block) EXCLUDES(blocks_mutex_);

  RefPtr<block::Volume> volume_;
  byte_cache::ByteCache bytes_;
  SuperBlock super_{};
  std::uint64_t xattr_start_ = 0;
  std::uint32_t xattr_ids_ = 0;
  bool claimed_ = false, finished_ = false;
  std::atomic<unsigned> complaints_{0};
  Table* table_ = nullptr;

  core::Mutex blocks_mutex_{"squashfs blocks"};
  // The ones used last come first.
  std::array<RefPtr<Block>, 64> metadata_;  // under blocks_mutex_
  std::array<RefPtr<Block>, 8> data_;       // under blocks_mutex_
};

}  // namespace squashfs
