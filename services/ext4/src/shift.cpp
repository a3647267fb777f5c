// fallocate's COLLAPSE_RANGE and INSERT_RANGE: extents that move within their file. Each leaf is changed in
// place, from the side on which there is room, so the tree is valid after every step; all steps are one
// transaction unless the file has more leaves than a transaction has room for.
#include <cstring>

#include "extent_tree.h"

namespace ext4 {

namespace {
constexpr std::uint64_t blocks_max = std::uint64_t{1} << 32;
}

// Where the leaf after this one begins; blocks_max: there is none.
std::uint64_t ExtentTree::next_leaf(Way& way) {
  for (int at = way.depth - 1; at >= 0; --at) {
    Level& level = way.levels[at];
    if (level.position + 1 < level.header->entries) return indices_of(level.header)[level.position + 1].block;
  }
  return blocks_max;
}

bool ExtentTree::is_first_leaf(const Way& way) {
  for (int at = 0; at < way.depth; ++at)
    if (way.levels[at].position > 0) return false;
  return true;
}

Result<std::uint64_t> ExtentTree::count_leaves(std::uint32_t from) {
  std::uint64_t count = 0;
  for (std::uint64_t at = from; at < blocks_max; ++count) {
    Way way;
    TRY(find(static_cast<std::uint32_t>(at), way));
    at = next_leaf(way);
  }
  return count;
}

Result<void> ExtentTree::cut(Handle& handle, std::uint32_t at) {
  Way way;
  TRY(find(at, way));
  if (way.leaf().position < 0) return {};
  ExtentEntry entry = entries_of(way.leaf().header)[way.leaf().position];
  if (entry.block == at || at - entry.block >= length_of(entry)) return {};
  TRY(make_room(handle, entry.block, way));
  Level& leaf = way.leaf();
  TRY(access(handle, leaf));
  ExtentEntry* entries = entries_of(leaf.header);
  int behind = leaf.position + 1;
  std::uint32_t before = at - entry.block, length = length_of(entry);
  bool unwritten = is_unwritten(entry);
  std::memmove(static_cast<void*>(entries + behind + 1), entries + behind,
               static_cast<std::size_t>(leaf.header->entries - behind) * 12);
  entries[behind] = {};
  entries[behind].block = at;
  set_start(entries[behind], start_of(entry) + before);
  set_length(entries[behind], length - before, unwritten);
  ++leaf.header->entries;
  set_length(entries[leaf.position], before, unwritten);
  seal(leaf);
  return {};
}

Result<bool> ExtentTree::shift_leaf(Handle& handle, Direction direction, std::uint32_t from, std::uint32_t by,
                                    std::uint64_t& next) {
  Way way;
  TRY(find(static_cast<std::uint32_t>(next), way));
  Level& leaf = way.leaf();
  ExtentEntry* entries = entries_of(leaf.header);
  int first = 0, count = leaf.header->entries;
  while (first < count && entries[first].block < from) ++first;
  std::uint64_t following = next_leaf(way);
  std::uint32_t old_first = count ? entries[0].block : 0;
  if (first < count) {
    if (direction == Direction::up) {
      const ExtentEntry& last = entries[count - 1];
      if (std::uint64_t{last.block} + length_of(last) + by > blocks_max) return error(Errno::efbig);
    }
    // A new first entry is known to the nodes above, too.
    for (int level = first == 0 ? 0 : way.depth; level <= way.depth; ++level)
      TRY(access(handle, way.levels[level]));
    for (int i = first; i < count; ++i)
      entries[i].block = direction == Direction::up ? entries[i].block + by : entries[i].block - by;
    seal(leaf);
    if (first == 0) {
      leaf.position = 0;
      TRY(correct_indices(handle, way, way.depth));
    }
  }
  if (direction == Direction::down) {
    next = following;
    return following >= blocks_max;
  }
  // Upwards from the last leaf to the one with `from`, or to the first of all: nothing may be before a hole.
  next = old_first ? old_first - 1 : 0;
  return first > 0 || count == 0 || old_first <= from || is_first_leaf(way);
}

Result<void> ExtentTree::join_at(Handle& handle, std::uint32_t at) {
  Way way;
  TRY(find(at, way));
  return way.leaf().position < 0 ? Result<void>() : merge_around(handle, way);
}

// ---- The inode's side: the contents lock of the cache is held exclusively, so nothing is mapped, read or
// written where blocks move ----

// The handle is open, with credits for one leaf; others follow until the transaction has no more room.
Result<void> Ext4Inode::shift_extents(Handle& handle, bool up, std::uint32_t from, std::uint32_t by) {
  ExtentTree tree(*this);
  auto direction = up ? ExtentTree::Direction::up : ExtentTree::Direction::down;
  std::uint64_t next = up ? blocks_max - 1 : from;
  unsigned credits = shift_credits(TRY(tree.count_leaves(from))), used = 0;
  for (;;) {
    if (TRY(tree.shift_leaf(handle, direction, from, by, next))) return {};
    used += leaf_credits;
    if (used + leaf_credits + extent_credits <= credits) continue;
    TRY(store(handle));
    TRY(handle.restart(credits));
    used = 0;
  }
}

unsigned Ext4Inode::shift_credits(std::uint64_t leaves) {
  std::uint64_t wanted = 2 * extent_credits + 8 + leaves * leaf_credits;
  std::uint64_t most = ext4().journal().credits_max() / 2;
  return static_cast<unsigned>(wanted < most ? wanted : most);
}

Result<void> Ext4Inode::collapse_blocks(std::uint32_t from, std::uint32_t to, std::uint64_t new_size) {
  if (!(disk_flags_ & flag_extents)) return error(Errno::eopnotsupp);
  ExtentTree tree(*this);
  Handle handle;
  std::uint64_t leaves;
  {
    core::ReadGuard guard{map_lock_};
    leaves = TRY(tree.count_leaves(from));
  }
  unsigned credits = shift_credits(leaves);
  TRY(handle.start(ext4().journal(), credits));
  // The blocks of the range go first. What needs many steps is a hole after a crash, as after a punch.
  for (;;) {
    core::WriteGuard guard{map_lock_};
    auto removed = remove_extents(handle, from, to);
    Indivisible change(handle);
    TRY(store(handle));
    TRY(change.done());
    if (TRY(removed)) break;
    TRY(handle.restart(credits));
  }
  core::WriteGuard guard{map_lock_};
  Indivisible change(handle);
  TRY(shift_extents(handle, false, to, to - from));
  TRY(tree.join_at(handle, from));
  set_size(disk_size_ = new_size);
  touch_modified();
  TRY(store(handle));
  return change.done();
}

Result<void> Ext4Inode::insert_blocks(std::uint32_t at, std::uint32_t count, std::uint64_t new_size) {
  if (!(disk_flags_ & flag_extents)) return error(Errno::eopnotsupp);
  ExtentTree tree(*this);
  std::uint64_t leaves;
  {
    core::ReadGuard guard{map_lock_};
    leaves = TRY(tree.count_leaves(at)) + 1;
    Mapping last = TRY(map(0xffffffff - count));
    if (!last.is_hole() || last.count <= count) return error(Errno::efbig);
  }
  Handle handle;
  TRY(handle.start(ext4().journal(), shift_credits(leaves)));
  core::WriteGuard guard{map_lock_};
  // Splitting an extent leaves a valid tree, whatever comes after it.
  TRY(tree.cut(handle, at));
  Indivisible change(handle);
  TRY(shift_extents(handle, true, at, count));
  set_size(disk_size_ = new_size);
  touch_modified();
  TRY(store(handle));
  return change.done();
}

}  // namespace ext4
