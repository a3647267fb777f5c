#include "extent_tree.h"

#include <cstring>

#include "crc32c.h"

namespace ext4 {

ExtentEntry* ExtentTree::entries_of(ExtentHeader* header) {
  return static_cast<ExtentEntry*>(static_cast<void*>(header + 1));
}
ExtentIndex* ExtentTree::indices_of(ExtentHeader* header) {
  return static_cast<ExtentIndex*>(static_cast<void*>(header + 1));
}

// ---- Checks ----

bool ExtentTree::checksum_is_right(const Buffer& buffer) const {
  if (!file_system_.has_checksums()) return true;
  auto* header = buffer.as<ExtentHeader>();
  std::size_t at = sizeof(ExtentHeader) + std::size_t{header->max} * 12;
  if (at + 4 > file_system_.block_size()) return false;
  return *buffer.as<std::uint32_t>(at) == crc32c(inode_.checksum_seed_, {buffer.bytes(), at});
}

void ExtentTree::seal(Level& level) {
  if (!level.buffer || !file_system_.has_checksums()) return;
  std::size_t at = sizeof(ExtentHeader) + std::size_t{level.header->max} * 12;
  *level.buffer->as<std::uint32_t>(at) = crc32c(inode_.checksum_seed_, {level.buffer->bytes(), at});
}

// Structure of a node; entries rise and lie on the disk.
Result<void> ExtentTree::check_node(const Level& level, int expected_depth, std::uint32_t first_block) {
  const ExtentHeader& header = *level.header;
  bool root = !level.buffer;
  if (!root && level.buffer->verified.load(std::memory_order_relaxed) && header.depth == expected_depth)
    return {};
  if (header.magic != extent_magic || header.depth != expected_depth || header.entries > header.max ||
      header.max > capacity(root) || header.max == 0)
    return file_system_.corrupted("node of the extents of inode", inode_.number());
  if (!root && (header.entries == 0 || !checksum_is_right(*level.buffer)))
    return file_system_.corrupted("extent block of inode", inode_.number());
  std::uint64_t next_free = root ? 0 : first_block;
  for (unsigned i = 0; i < header.entries; ++i) {
    std::uint64_t block, count, start;
    if (expected_depth == 0) {
      const ExtentEntry& entry = entries_of(level.header)[i];
      block = entry.block;
      count = length_of(entry);
      start = start_of(entry);
    } else {
      const ExtentIndex& index = indices_of(level.header)[i];
      block = index.block;
      count = 1;
      start = child_of(index);
    }
    if (count == 0 || block < next_free || block + count > 0x100000000 || start == 0 ||
        start >= file_system_.block_count() || count > file_system_.block_count() - start)
      return file_system_.corrupted("extent of inode", inode_.number());
    next_free = block + count;
  }
  if (!root) level.buffer->verified.store(true, std::memory_order_relaxed);
  return {};
}

// ---- Looking up ----

Result<void> ExtentTree::find(std::uint32_t logical, Way& way) {
  Level* level = &way.levels[0];
  level->buffer = {};
  level->header = static_cast<ExtentHeader*>(static_cast<void*>(inode_.block_));
  if (level->header->depth > extent_depth_max)
    return file_system_.corrupted("depth of the extents of inode", inode_.number());
  way.depth = level->header->depth;
  std::uint32_t first_block = 0;
  for (int depth = way.depth, at = 0;; --depth, ++at) {
    TRY(check_node(*level, depth, first_block));
    // The last entry that begins at or before the block.
    int low = 0, high = level->header->entries;
    while (low < high) {
      int middle = (low + high) / 2;
      std::uint32_t block =
          depth ? indices_of(level->header)[middle].block : entries_of(level->header)[middle].block;
      if (block <= logical)
        low = middle + 1;
      else
        high = middle;
    }
    level->position = low - 1;
    if (depth == 0) return {};
    if (level->header->entries == 0) return file_system_.corrupted("empty index of inode", inode_.number());
    // Before the first: it would go into the first child.
    int down = level->position < 0 ? 0 : level->position;
    const ExtentIndex& index = indices_of(level->header)[down];
    first_block = index.block;
    level->position = down;
    std::uint64_t child = child_of(index);
    Level& below = way.levels[at + 1];
    below.buffer = TRY(file_system_.buffers().read(child));
    below.header = below.buffer->as<ExtentHeader>();
    level = &below;
  }
}

Result<Mapping> ExtentTree::map(std::uint32_t logical) {
  Way way;
  TRY(find(logical, way));
  Level& leaf = way.leaf();
  ExtentEntry* entries = entries_of(leaf.header);
  if (leaf.position >= 0) {
    const ExtentEntry& entry = entries[leaf.position];
    std::uint32_t within = logical - entry.block;
    if (within < length_of(entry))
      return Mapping{start_of(entry) + within, length_of(entry) - within, is_unwritten(entry)};
  }
  // A hole up to the next extent, here or in the next leaf.
  std::uint64_t next = 0x100000000;
  if (leaf.position + 1 < leaf.header->entries) {
    next = entries[leaf.position + 1].block;
  } else {
    for (int at = way.depth - 1; at >= 0; --at) {
      Level& level = way.levels[at];
      if (level.position + 1 >= level.header->entries) continue;
      next = indices_of(level.header)[level.position + 1].block;
      break;
    }
  }
  std::uint64_t count = next - logical;
  return Mapping{0, static_cast<std::uint32_t>(count > 0x7fffffff ? 0x7fffffff : count ? count : 1), false};
}

// ---- Making room ----

Result<void> ExtentTree::access(Handle& handle, Level& level) {
  return level.buffer ? handle.access(level.buffer) : Result<void>();  // the root is written with the inode
}

Result<std::uint64_t> ExtentTree::new_block(Handle& handle, std::uint64_t near) {
  std::uint64_t block = TRY(file_system_.allocate_tree_block(handle, near));
  inode_.add_blocks(1);
  return block;
}

// The root's entries move into a block of their own: the tree gets one level more.
Result<void> ExtentTree::grow_root(Handle& handle, Way& way) {
  Level& root = way.levels[0];
  if (root.header->depth >= extent_depth_max) return error(Errno::efbig);
  std::uint64_t block = TRY(new_block(handle, file_system_.goal_for(inode_)));
  Level fresh;
  fresh.buffer = TRY(file_system_.buffers().make(block));
  TRY(handle.access(fresh.buffer));
  fresh.header = fresh.buffer->as<ExtentHeader>();
  std::memcpy(static_cast<void*>(fresh.header), root.header, 60);
  fresh.header->max = capacity(false);
  seal(fresh);
  std::uint32_t first =
      root.header->depth ? indices_of(root.header)[0].block : entries_of(root.header)[0].block;
  ++root.header->depth;
  root.header->entries = 1;
  indices_of(root.header)[0] = {first, static_cast<std::uint32_t>(block),
                                static_cast<std::uint16_t>(block >> 32), 0};
  return {};
}

// Moves the upper part of the full node at `level` into a new one beside it; its parent has room.
Result<void> ExtentTree::split(Handle& handle, Way& way, int level, std::uint32_t logical) {
  Level& node = way.levels[level];
  Level& parent = way.levels[level - 1];
  TRY(access(handle, node));
  TRY(access(handle, parent));
  bool is_leaf = level == way.depth;
  unsigned entries = node.header->entries;
  std::uint32_t last =
      is_leaf ? entries_of(node.header)[entries - 1].block : indices_of(node.header)[entries - 1].block;
  // Files mostly grow at their end: then the old node stays nearly full.
  unsigned moved = logical > last ? 1 : entries / 2;
  std::uint64_t block = TRY(new_block(handle, node.buffer->block()));
  Level fresh;
  fresh.buffer = TRY(file_system_.buffers().make(block));
  TRY(handle.access(fresh.buffer));
  fresh.header = fresh.buffer->as<ExtentHeader>();
  *fresh.header = *node.header;
  fresh.header->max = capacity(false);
  fresh.header->entries = static_cast<std::uint16_t>(moved);
  ExtentEntry* from = entries_of(node.header) + (entries - moved);
  std::memcpy(static_cast<void*>(entries_of(fresh.header)), from, std::size_t{moved} * 12);
  node.header->entries = static_cast<std::uint16_t>(entries - moved);
  std::memset(static_cast<void*>(from), 0, std::size_t{moved} * 12);
  seal(node);
  seal(fresh);
  std::uint32_t first = is_leaf ? entries_of(fresh.header)[0].block : indices_of(fresh.header)[0].block;
  ExtentIndex* indices = indices_of(parent.header);
  int at = parent.position + 1;
  std::memmove(static_cast<void*>(indices + at + 1), indices + at,
               static_cast<std::size_t>(parent.header->entries - at) * 12);
  indices[at] = {first, static_cast<std::uint32_t>(block), static_cast<std::uint16_t>(block >> 32), 0};
  ++parent.header->entries;
  seal(parent);
  return {};
}

// Until the leaf for `logical` has room for one entry.
Result<void> ExtentTree::make_room(Handle& handle, std::uint32_t logical, Way& way) {
  for (;;) {
    TRY(find(logical, way));
    if (way.leaf().header->entries < way.leaf().header->max) return {};
    int level = way.depth;
    while (level > 0 && way.levels[level - 1].header->entries >= way.levels[level - 1].header->max) --level;
    if (level == 0)
      TRY(grow_root(handle, way));
    else
      TRY(split(handle, way, level, logical));
  }
}

// The first entry of the node at `from_level` has a new block: those above say so too.
Result<void> ExtentTree::correct_indices(Handle& handle, Way& way, int from_level) {
  for (int level = from_level; level > 0; --level) {
    Level& node = way.levels[level];
    Level& parent = way.levels[level - 1];
    if (node.header->entries == 0) return {};
    std::uint32_t first =
        level == way.depth ? entries_of(node.header)[0].block : indices_of(node.header)[0].block;
    ExtentIndex& index = indices_of(parent.header)[parent.position];
    if (index.block == first) return {};
    TRY(access(handle, parent));
    index.block = first;
    seal(parent);
    if (parent.position != 0) return {};
  }
  return {};
}

// ---- Inserting ----

bool ExtentTree::can_merge(const ExtentEntry& left, const ExtentEntry& right) const {
  bool unwritten = is_unwritten(left);
  if (unwritten != is_unwritten(right)) return false;
  std::uint32_t most = unwritten ? extent_unwritten_max : extent_written_max;
  return left.block + length_of(left) == right.block && start_of(left) + length_of(left) == start_of(right) &&
         length_of(left) + length_of(right) <= most;
}

// Joins the entry at the leaf's position with its neighbours in the leaf.
Result<void> ExtentTree::merge_around(Handle& handle, Way& way) {
  Level& leaf = way.leaf();
  ExtentEntry* entries = entries_of(leaf.header);
  for (int left : {leaf.position, leaf.position - 1}) {
    if (left < 0 || left + 1 >= leaf.header->entries || !can_merge(entries[left], entries[left + 1]))
      continue;
    TRY(access(handle, leaf));
    set_length(entries[left], length_of(entries[left]) + length_of(entries[left + 1]),
               is_unwritten(entries[left]));
    std::memmove(static_cast<void*>(entries + left + 1), entries + left + 2,
                 static_cast<std::size_t>(leaf.header->entries - left - 2) * 12);
    --leaf.header->entries;
    seal(leaf);
  }
  return {};
}

Result<void> ExtentTree::insert(Handle& handle, std::uint32_t logical, BlockRun run, bool unwritten) {
  ExtentEntry fresh{};
  fresh.block = logical;
  set_start(fresh, run.start);
  set_length(fresh, run.count, unwritten);
  Way way;
  TRY(find(logical, way));
  {
    // Behind the one before: it only gets longer.
    Level& leaf = way.leaf();
    ExtentEntry* entries = entries_of(leaf.header);
    if (leaf.position >= 0 && can_merge(entries[leaf.position], fresh)) {
      TRY(access(handle, leaf));
      set_length(entries[leaf.position], length_of(entries[leaf.position]) + run.count, unwritten);
      seal(leaf);
      return merge_around(handle, way);
    }
  }
  TRY(make_room(handle, logical, way));
  Level& leaf = way.leaf();
  ExtentEntry* entries = entries_of(leaf.header);
  int at = leaf.position + 1;
  // A new first entry is known to the nodes above, too. Nothing can fail once the leaf has it: who is told
  // of an error frees the blocks.
  for (int level = at == 0 ? 0 : way.depth; level <= way.depth; ++level)
    TRY(access(handle, way.levels[level]));
  std::memmove(static_cast<void*>(entries + at + 1), entries + at,
               static_cast<std::size_t>(leaf.header->entries - at) * 12);
  entries[at] = fresh;
  ++leaf.header->entries;
  leaf.position = at;
  seal(leaf);
  if (at == 0) TRY(correct_indices(handle, way, way.depth));
  return merge_around(handle, way);
}

// ---- Unwritten to written ----

Result<void> ExtentTree::mark_written(Handle& handle, std::uint32_t logical, std::uint32_t count) {
  while (count) {
    Way way;
    TRY(find(logical, way));
    Level* leaf = &way.leaf();
    if (leaf->position < 0) return file_system_.corrupted("unwritten extent of inode", inode_.number());
    ExtentEntry entry = entries_of(leaf->header)[leaf->position];
    std::uint32_t within = logical - entry.block, length = length_of(entry);
    if (within >= length) return file_system_.corrupted("unwritten extent of inode", inode_.number());
    std::uint32_t here = length - within < count ? length - within : count;
    if (is_unwritten(entry)) {
      if (within) {
        // The part before stays as it is; what follows becomes an entry of its own.
        TRY(make_room(handle, logical, way));
        leaf = &way.leaf();
        TRY(access(handle, *leaf));
        ExtentEntry* entries = entries_of(leaf->header);
        set_length(entries[leaf->position], within, true);
        int at = leaf->position + 1;
        std::memmove(static_cast<void*>(entries + at + 1), entries + at,
                     static_cast<std::size_t>(leaf->header->entries - at) * 12);
        entries[at] = {};
        entries[at].block = logical;
        set_start(entries[at], start_of(entry) + within);
        set_length(entries[at], length - within, true);
        ++leaf->header->entries;
        seal(*leaf);
        continue;
      }
      if (here < length) {
        // The part behind gets its own entry first.
        TRY(make_room(handle, logical, way));
        leaf = &way.leaf();
        TRY(access(handle, *leaf));
        ExtentEntry* entries = entries_of(leaf->header);
        set_length(entries[leaf->position], here, true);
        int at = leaf->position + 1;
        std::memmove(static_cast<void*>(entries + at + 1), entries + at,
                     static_cast<std::size_t>(leaf->header->entries - at) * 12);
        entries[at] = {};
        entries[at].block = logical + here;
        set_start(entries[at], start_of(entry) + here);
        set_length(entries[at], length - here, true);
        ++leaf->header->entries;
        seal(*leaf);
        continue;
      }
      TRY(access(handle, *leaf));
      set_length(entries_of(leaf->header)[leaf->position], here, false);
      seal(*leaf);
      TRY(merge_around(handle, way));
    }
    logical += here;
    count -= here;
  }
  return {};
}

// ---- Removing ----

// Takes the entry at the leaf's position out; nodes that become empty go.
Result<void> ExtentTree::remove_leaf_entry(Handle& handle, Way& way) {
  int level = way.depth;
  for (;;) {
    Level& node = way.levels[level];
    TRY(access(handle, node));
    auto* entries = entries_of(node.header);  // indices have the same size
    int at = node.position;
    std::memmove(static_cast<void*>(entries + at), entries + at + 1,
                 static_cast<std::size_t>(node.header->entries - at - 1) * 12);
    --node.header->entries;
    std::memset(static_cast<void*>(entries + node.header->entries), 0, 12);
    if (node.header->entries || level == 0) {
      seal(node);
      if (at == 0 && level > 0) TRY(correct_indices(handle, way, level));
      break;
    }
    std::uint64_t block = node.buffer->block();
    node.buffer->verified.store(false, std::memory_order_relaxed);
    TRY(handle.forget(block));
    TRY(file_system_.free_blocks(handle, {block, 1}));
    inode_.add_blocks(-1);
    --level;
  }
  // An index root without entries is an empty leaf.
  if (way.levels[0].header->entries == 0) way.levels[0].header->depth = 0;
  return {};
}

constexpr std::uint64_t revoked_per_step = 64;

// A few extents of [from, to), the last ones first. True: there is nothing (left) in it.
Result<bool> ExtentTree::remove_some(Handle& handle, std::uint32_t from, std::uint64_t to) {
  for (int steps = 0; steps < 4; ++steps) {
    Way way;
    TRY(find(static_cast<std::uint32_t>(to - 1), way));
    Level* leaf = &way.leaf();
    if (leaf->position < 0) return true;
    ExtentEntry entry = entries_of(leaf->header)[leaf->position];
    std::uint64_t begin = entry.block, end = begin + length_of(entry);
    if (end <= from) return true;
    bool unwritten = is_unwritten(entry);
    std::uint64_t cut_from = begin > from ? begin : from, cut_to = end < to ? end : to;
    if (cut_from >= cut_to) return true;
    // The blocks of directories and symbolic links are metadata: the journal must not bring them home over
    // what comes there next. A step takes no more of them than the transaction has room to revoke.
    bool revokes = !vfs::is_regular(inode_.mode());
    if (revokes && cut_to - cut_from > revoked_per_step) cut_from = cut_to - revoked_per_step;
    BlockRun freed{start_of(entry) + (cut_from - begin), static_cast<std::uint32_t>(cut_to - cut_from)};
    if (cut_to < end && cut_from > begin) {
      // A hole in the middle: the part behind gets its own entry.
      TRY(make_room(handle, static_cast<std::uint32_t>(begin), way));
      leaf = &way.leaf();
      TRY(access(handle, *leaf));
      ExtentEntry* entries = entries_of(leaf->header);
      int at = leaf->position + 1;
      std::memmove(static_cast<void*>(entries + at + 1), entries + at,
                   static_cast<std::size_t>(leaf->header->entries - at) * 12);
      entries[at] = {};
      entries[at].block = static_cast<std::uint32_t>(cut_to);
      set_start(entries[at], start_of(entry) + (cut_to - begin));
      set_length(entries[at], static_cast<std::uint32_t>(end - cut_to), unwritten);
      ++leaf->header->entries;
      set_length(entries[leaf->position], static_cast<std::uint32_t>(cut_from - begin), unwritten);
      seal(*leaf);
    } else if (cut_from > begin) {
      TRY(access(handle, *leaf));
      set_length(entries_of(leaf->header)[leaf->position], static_cast<std::uint32_t>(cut_from - begin),
                 unwritten);
      seal(*leaf);
    } else if (cut_to < end) {
      TRY(access(handle, *leaf));
      ExtentEntry& kept = entries_of(leaf->header)[leaf->position];
      kept.block = static_cast<std::uint32_t>(cut_to);
      set_start(kept, start_of(entry) + (cut_to - begin));
      set_length(kept, static_cast<std::uint32_t>(end - cut_to), unwritten);
      seal(*leaf);
      if (leaf->position == 0) TRY(correct_indices(handle, way, way.depth));
    } else {
      TRY(remove_leaf_entry(handle, way));
    }
    if (revokes)
      for (std::uint64_t block = freed.start; block < freed.start + freed.count; ++block)
        TRY(handle.forget(block));
    TRY(file_system_.free_blocks(handle, freed));
    inode_.add_blocks(-static_cast<std::int64_t>(freed.count));
    if (cut_from <= from) return true;
    to = cut_from;
  }
  return false;
}

// ---- The inode's side ----

void Ext4Inode::make_empty_extents() {
  std::memset(block_, 0, sizeof(block_));
  auto* header = static_cast<ExtentHeader*>(static_cast<void*>(block_));
  header->magic = extent_magic;
  header->max = (sizeof(block_) - sizeof(ExtentHeader)) / sizeof(ExtentEntry);
  disk_flags_ |= flag_extents;
}

Result<Mapping> Ext4Inode::map(std::uint32_t logical) {
  if (disk_flags_ & flag_extents) return ExtentTree(*this).map(logical);
  return map_indirect(logical);
}

Result<void> Ext4Inode::insert_extent(Handle& handle, std::uint32_t logical, BlockRun run, bool unwritten) {
  std::uint32_t most = unwritten ? extent_unwritten_max : extent_written_max;
  while (run.count) {
    std::uint32_t here = run.count < most ? run.count : most;
    TRY(ExtentTree(*this).insert(handle, logical, {run.start, here}, unwritten));
    logical += here;
    run.start += here;
    run.count -= here;
    add_blocks(here);
  }
  return {};
}
Result<void> Ext4Inode::mark_written(Handle& handle, std::uint32_t logical, std::uint32_t count) {
  return ExtentTree(*this).mark_written(handle, logical, count);
}
Result<bool> Ext4Inode::remove_extents(Handle& handle, std::uint32_t from, std::uint64_t to) {
  if (!(disk_flags_ & flag_extents)) return error(Errno::eopnotsupp);
  return ExtentTree(*this).remove_some(handle, from, to);
}

// Files of ext2 and ext3, only read: 12 direct blocks, then trees of one, two and three levels.
Result<Mapping> Ext4Inode::map_indirect(std::uint32_t logical) {
  auto word = [&](unsigned index) {
    std::uint32_t value;
    std::memcpy(&value, block_ + 4 * index, 4);
    return value;
  };
  std::uint32_t per_block = ext4().block_size() / 4;
  auto answer = [&](std::uint32_t block) -> Result<Mapping> {
    if (block >= ext4().block_count()) return ext4().corrupted("block of inode", number());
    return Mapping{block, 1, false};
  };
  if (logical < 12) return answer(word(logical));
  std::uint64_t rest = logical - 12, span = per_block;
  for (unsigned levels = 1; levels <= 3; ++levels, span *= per_block) {
    if (rest >= span) {
      rest -= span;
      continue;
    }
    std::uint32_t block = word(11 + levels);
    for (std::uint64_t below = span / per_block; block && below; below /= per_block) {
      BufferRef buffer = TRY(ext4().buffers().read(block));
      block = *buffer->as<std::uint32_t>(static_cast<std::size_t>(rest / below % per_block) * 4);
    }
    return answer(block);
  }
  return Mapping{0, 1, false};
}

}  // namespace ext4
