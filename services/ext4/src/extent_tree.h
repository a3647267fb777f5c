// The tree from logical to physical blocks of one inode.
//
// A Way leads from the root (in the inode) to a leaf: at each level the node and the entry at or before the
// wanted block
// (-1: it lies before the first). Every change leaves a tree that is valid in itself, so that a failure for
// want of memory or blocks needs nothing undone: room is made first, by splitting full nodes one at a time.
//
// map_lock of the inode is held by callers; exclusively for changes.
#pragma once

#include "inode.h"

namespace ext4 {

class ExtentTree {
 public:
  explicit ExtentTree(Ext4Inode& inode) : inode_(inode), file_system_(inode.ext4()) {}

  struct Level {
    BufferRef buffer;  // none: the root
    ExtentHeader* header = nullptr;
    int position = -1;
  };
  struct Way {
    Level levels[extent_depth_max + 1];
    int depth = 0;
    Level& leaf() { return levels[depth]; }
  };

  static ExtentEntry* entries_of(ExtentHeader* header);
  static ExtentIndex* indices_of(ExtentHeader* header);
  static std::uint64_t start_of(const ExtentEntry& entry) {
    return entry.start_low | static_cast<std::uint64_t>(entry.start_high) << 32;
  }
  static std::uint64_t child_of(const ExtentIndex& index) {
    return index.leaf_low | static_cast<std::uint64_t>(index.leaf_high) << 32;
  }
  static bool is_unwritten(const ExtentEntry& entry) { return entry.length > extent_written_max; }
  static std::uint32_t length_of(const ExtentEntry& entry) {
    return is_unwritten(entry) ? entry.length - extent_written_max : entry.length;
  }
  static void set_start(ExtentEntry& entry, std::uint64_t start) {
    entry.start_low = static_cast<std::uint32_t>(start);
    entry.start_high = static_cast<std::uint16_t>(start >> 32);
  }
  static void set_length(ExtentEntry& entry, std::uint32_t length, bool unwritten) {
    entry.length = static_cast<std::uint16_t>(unwritten ? length + extent_written_max : length);
  }

  Result<void> find(std::uint32_t logical, Way& way);
  Result<Mapping> map(std::uint32_t logical);
  // One extent of at most extent_*_max blocks, where there is a hole.
  Result<void> insert(Handle& handle, std::uint32_t logical, BlockRun run, bool unwritten);
  Result<void> mark_written(Handle& handle, std::uint32_t logical, std::uint32_t count);
  Result<bool> remove_some(Handle& handle, std::uint32_t from, std::uint64_t to);
  // ---- shift.cpp ----
  // Leaves with extents that end behind `from`.
  Result<std::uint64_t> count_leaves(std::uint32_t from);
  // One extent that covers both sides of `at` becomes two.
  Result<void> cut(Handle& handle, std::uint32_t at);
  // Everything from `from` on moves `by` blocks down (into a hole there) or up, leaf after leaf from the side
  // that has room. `next` says where to go on, with another handle if need be; true when all is done.
  enum class Direction : std::uint8_t { down, up };
  Result<bool> shift_leaf(Handle& handle, Direction direction, std::uint32_t from, std::uint32_t by,
                          std::uint64_t& next);
  Result<void> join_at(Handle& handle, std::uint32_t at);

 private:
  Result<void> check_node(const Level& level, int expected_depth, std::uint32_t first_block);
  bool checksum_is_right(const Buffer& buffer) const;
  void seal(Level& level);
  Result<void> access(Handle& handle, Level& level);
  std::uint16_t capacity(bool root) const {
    return static_cast<std::uint16_t>(
        (root ? 60 - sizeof(ExtentHeader) : file_system_.block_size() - sizeof(ExtentHeader)) / 12);
  }
  Result<void> make_room(Handle& handle, std::uint32_t logical, Way& way);
  Result<void> grow_root(Handle& handle, Way& way);
  Result<void> split(Handle& handle, Way& way, int level, std::uint32_t logical);
  static std::uint64_t next_leaf(Way& way);
  static bool is_first_leaf(const Way& way);
  Result<void> correct_indices(Handle& handle, Way& way, int from_level);
  Result<void> remove_leaf_entry(Handle& handle, Way& way);
  bool can_merge(const ExtentEntry& left, const ExtentEntry& right) const;
  Result<void> merge_around(Handle& handle, Way& way);
  Result<std::uint64_t> new_block(Handle& handle, std::uint64_t near);

  Ext4Inode& inode_;
  Ext4FileSystem& file_system_;
};

}  // namespace ext4
