#include "directory.h"

#include <algorithm>
#include <cstring>

#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "crc32c.h"
#include "vfs/directory.h"

namespace ext4 {

namespace {
std::string_view name_of(const DirectoryEntry* entry) { return {entry->name, entry->name_length}; }
}  // namespace

// ---- Blocks and their checksums ----

std::uint32_t DirectoryAccess::index_checksum(Buffer& block, std::uint32_t entries_offset) const {
  auto* limit = block.as<HashLimit>(entries_offset);
  std::uint32_t tail_at = entries_offset + limit->limit * 8u;
  auto* tail = block.as<HashTail>(tail_at);
  std::uint32_t state =
      crc32c(inode_.checksum_seed_, {block.bytes(), entries_offset + limit->count * std::size_t{8}});
  state = crc32c_of(state, std::uint32_t{tail->reserved});
  return crc32c_of(state, std::uint32_t{0});
}

void DirectoryAccess::seal_index(Buffer& block, std::uint32_t entries_offset) {
  if (!file_system_.has_checksums()) return;
  std::uint32_t tail_at = entries_offset + block.as<HashLimit>(entries_offset)->limit * 8u;
  std::uint32_t checksum = index_checksum(block, entries_offset);
  block.as<HashTail>(tail_at)->checksum = checksum;
}

void DirectoryAccess::put_tail(Buffer& block) const {
  if (!file_system_.has_checksums()) return;
  auto* tail = block.as<DirectoryTail>(file_system_.block_size() - sizeof(DirectoryTail));
  *tail = {0, sizeof(DirectoryTail), 0, tail_type, 0};
}

void DirectoryAccess::seal(Buffer& block) {
  if (!file_system_.has_checksums()) return;
  std::uint32_t end = file_system_.block_size() - sizeof(DirectoryTail);
  block.as<DirectoryTail>(end)->checksum = crc32c(inode_.checksum_seed_, {block.bytes(), end});
}

// Block 0 of an indexed directory, an inner node (which looks like one unused entry), or plain.
bool DirectoryAccess::block_is_right(Buffer& block, std::uint32_t logical) const {
  if (!file_system_.has_checksums()) return true;
  std::uint32_t size = file_system_.block_size();
  auto* first = block.as<DirectoryEntry>();
  std::uint32_t entries = 0;
  if (is_indexed() && logical == 0) entries = 32;
  if (is_indexed() && logical && first->inode == 0 && first->record_length == size) entries = 8;
  if (entries) {
    auto* limit = block.as<HashLimit>(entries);
    if (limit->count > limit->limit || entries + limit->limit * 8u + sizeof(HashTail) > size) return false;
    return block.as<HashTail>(entries + limit->limit * 8u)->checksum == index_checksum(block, entries);
  }
  std::uint32_t end = size - sizeof(DirectoryTail);
  auto* tail = block.as<DirectoryTail>(end);
  return tail->type == tail_type && tail->inode == 0 && tail->record_length == sizeof(DirectoryTail) &&
         tail->checksum == crc32c(inode_.checksum_seed_, {block.bytes(), end});
}

Result<BufferRef> DirectoryAccess::read_block(std::uint32_t logical) {
  BufferRef block = TRY(inode_.directory_block(logical));
  if (block->verified.load(std::memory_order_relaxed)) return block;
  if (!block_is_right(*block, logical))
    return file_system_.corrupted("checksum of directory", inode_.number());
  block->verified.store(true, std::memory_order_relaxed);
  return block;
}

// ---- Finding ----

std::uint32_t DirectoryAccess::hash_of(std::string_view name, std::uint8_t version) const {
  const SuperBlock& super = file_system_.super();
  std::uint32_t seed[4];
  std::memcpy(seed, super.hash_seed, sizeof(seed));
  auto characters = super.flags & flag_unsigned_hash || version >= 3 ? HashCharacters::are_unsigned
                                                                     : HashCharacters::are_signed;
  return directory_hash(name, static_cast<HashVersion>(version >= 3 ? version - 3 : version), characters,
                        seed);
}

Result<DirectoryAccess::Place> DirectoryAccess::find_in_block(BufferRef block, std::string_view name) {
  Place place;
  std::uint32_t previous = 0;
  (void)TRY(for_entries(*block, [&](DirectoryEntry* entry, std::uint32_t offset) {
    if (entry->inode && name_of(entry) == name) {
      place.buffer = block;
      place.offset = offset;
      place.previous = previous;
      return false;
    }
    previous = offset;
    return true;
  }));
  return place;
}

Result<DirectoryAccess::Place> DirectoryAccess::find(std::string_view name) {
  if (is_indexed() && name != "." && name != "..") {
    auto found = find_indexed(name);
    // An index that we do not understand is not needed for reading.
    if (found || found.error() != Errno::eopnotsupp) return found;
  }
  std::uint32_t blocks = is_indexed() && (name == "." || name == "..") ? 1 : block_total();
  for (std::uint32_t logical = 0; logical < blocks; ++logical) {
    Place place = TRY(find_in_block(TRY(read_block(logical)), name));
    if (place.is_found()) return place;
  }
  return Place{};
}

Result<DirectoryAccess::IndexLevel> DirectoryAccess::read_index(std::uint32_t logical, bool root) {
  IndexLevel level;
  level.buffer = TRY(read_block(logical));
  std::uint32_t at = root ? 32 : 8;
  level.entries = level.buffer->as<HashEntry>(at);
  HashLimit* limit = level.limit();
  if (limit->count == 0 || limit->count > limit->limit || limit->limit > index_limit(root))
    return file_system_.corrupted("index of directory", inode_.number());
  return level;
}

Result<void> DirectoryAccess::find_leaf(std::uint32_t hash_or_zero, std::uint8_t& version,
                                        std::string_view name, IndexWay& way, std::uint32_t& hash) {
  way.levels[0] = TRY(read_index(0, true));
  auto* info = way.levels[0].buffer->as<HashRootInfo>(24);
  if (info->hash_version > 5 || info->info_length != 8 || info->reserved || info->indirect_levels > 1 ||
      (info->unused_flags & 1))
    return error(Errno::eopnotsupp);
  version = info->hash_version;
  hash = name.empty() ? hash_or_zero : hash_of(name, version);
  way.depth = info->indirect_levels;
  for (unsigned at = 0;; ++at) {
    IndexLevel& level = way.levels[at];
    // The last entry whose hash is not above ours; the first stands for everything below the second.
    unsigned low = 1, high = level.limit()->count;
    while (low < high) {
      unsigned middle = (low + high) / 2;
      if (level.entries[middle].hash <= hash)
        low = middle + 1;
      else
        high = middle;
    }
    level.position = low - 1;
    if (at == way.depth) return {};
    way.levels[at + 1] = TRY(read_index(level.entries[level.position].block & 0x0fffffff, false));
  }
}

// The leaf behind, if names with this hash may have gone on there.
Result<bool> DirectoryAccess::next_leaf(std::uint32_t hash, IndexWay& way) {
  unsigned at = way.depth;
  while (way.levels[at].position + 1 >= way.levels[at].limit()->count) {
    if (at == 0) return false;
    --at;
  }
  IndexLevel& level = way.levels[at];
  if ((level.entries[level.position + 1].hash & ~1u) != hash) return false;
  ++level.position;
  for (; at < way.depth; ++at) {
    way.levels[at + 1] =
        TRY(read_index(way.levels[at].entries[way.levels[at].position].block & 0x0fffffff, false));
    way.levels[at + 1].position = 0;
  }
  return true;
}

Result<DirectoryAccess::Place> DirectoryAccess::find_indexed(std::string_view name) {
  IndexWay way;
  std::uint8_t version;
  std::uint32_t hash;
  TRY(find_leaf(0, version, name, way, hash));
  for (std::uint32_t steps = 0; steps <= block_total(); ++steps) {
    IndexLevel& lowest = way.lowest();
    BufferRef block = TRY(read_block(lowest.entries[lowest.position].block & 0x0fffffff));
    Place place = TRY(find_in_block(std::move(block), name));
    if (place.is_found()) return place;
    if (!TRY(next_leaf(hash, way))) return Place{};
  }
  return file_system_.corrupted("index of directory", inode_.number());
}

// ---- Adding and removing ----

void DirectoryAccess::remove(Place& place) {
  DirectoryEntry* entry = place.entry();
  if (place.previous != place.offset) {
    auto* before = place.buffer->as<DirectoryEntry>(place.previous);
    before->record_length = static_cast<std::uint16_t>(before->record_length + entry->record_length);
  }
  entry->inode = 0;
  std::memset(entry->name, 0, entry->name_length);
  entry->name_length = entry->type = 0;
  seal(*place.buffer);
}

Result<bool> DirectoryAccess::add_to_block(Handle& handle, BufferRef& block, std::string_view name,
                                           std::uint32_t number, std::uint8_t type) {
  std::uint32_t wanted = needed(name.size());
  DirectoryEntry* room = nullptr;
  std::uint32_t room_offset = 0;
  (void)TRY(for_entries(*block, [&](DirectoryEntry* entry, std::uint32_t offset) {
    if (offset >= usable()) return false;  // the tail
    std::uint32_t used = entry->inode ? needed(entry->name_length) : 0;
    if (entry->record_length - used < wanted) return true;
    room = entry;
    room_offset = offset;
    return false;
  }));
  if (!room) return false;
  TRY(handle.access(block));
  if (room->inode) {
    std::uint32_t used = needed(room->name_length);
    auto* fresh = block->as<DirectoryEntry>(room_offset + used);
    fresh->record_length = static_cast<std::uint16_t>(room->record_length - used);
    room->record_length = static_cast<std::uint16_t>(used);
    room = fresh;
  }
  room->inode = number;
  room->name_length = static_cast<std::uint8_t>(name.size());
  room->type = type;
  std::memcpy(room->name, name.data(), name.size());
  seal(*block);
  return true;
}

Result<void> DirectoryAccess::add(Handle& handle, std::string_view name, std::uint32_t number,
                                  std::uint8_t type) {
  if (is_indexed()) {
    auto added = add_indexed(handle, name, number, type);
    if (added || added.error() != Errno::eopnotsupp) return added;
    // Not an index of ours: from here on the directory is a plain one.
    inode_.disk_flags_ &= ~flag_index;
    return error(Errno::eopnotsupp);
  }
  std::uint32_t blocks = block_total();
  for (std::uint32_t logical = 0; logical < blocks; ++logical) {
    BufferRef block = TRY(read_block(logical));
    if (TRY(add_to_block(handle, block, name, number, type))) return {};
  }
  if (blocks == 1 && file_system_.has_compatible(compatible::directory_index)) {
    TRY(make_indexed(handle));
    return add_indexed(handle, name, number, type);
  }
  std::uint32_t logical;
  BufferRef block = TRY(inode_.append_block(handle, logical));
  auto* entry = block->as<DirectoryEntry>();
  *entry = {0, static_cast<std::uint16_t>(usable()), 0, 0};
  put_tail(*block);
  if (!TRY(add_to_block(handle, block, name, number, type))) return error(Errno::enospc);
  return {};
}

// The only block of a plain directory is full: its entries move into a leaf, and it becomes the root.
Result<void> DirectoryAccess::make_indexed(Handle& handle) {
  BufferRef root = TRY(read_block(0));
  std::uint32_t logical;
  BufferRef leaf = TRY(inode_.append_block(handle, logical));
  TRY(handle.access(root));
  std::uint32_t size = file_system_.block_size();
  auto* dot = root->as<DirectoryEntry>();
  auto* dot_dot = root->as<DirectoryEntry>(dot->record_length);
  if (name_of(dot) != "." || dot->record_length != 12 || name_of(dot_dot) != "..")
    return file_system_.corrupted("first entries of directory", inode_.number());
  std::uint32_t from = 12u + dot_dot->record_length;
  if (from >= usable()) return file_system_.corrupted("first entries of directory", inode_.number());
  std::uint32_t count = usable() - from;
  std::memcpy(leaf->bytes(), root->bytes() + from, count);
  // The last of them gets the room of the two that stay behind.
  DirectoryEntry* last = nullptr;
  for (std::uint32_t at = 0; at < count; at += last->record_length) last = leaf->as<DirectoryEntry>(at);
  last->record_length = static_cast<std::uint16_t>(last->record_length + from);
  put_tail(*leaf);
  seal(*leaf);
  dot_dot->record_length = static_cast<std::uint16_t>(size - 12);
  std::memset(root->bytes() + 24, 0, size - 24);
  *root->as<HashRootInfo>(24) = {0, file_system_.super().default_hash_version, 8, 0, 0};
  *root->as<HashEntry>(32) = {0, logical};
  *root->as<HashLimit>(32) = {static_cast<std::uint16_t>(index_limit(true)), 1};
  inode_.disk_flags_ |= flag_index;
  seal_index(*root, 32);
  return {};
}

void DirectoryAccess::insert_index(IndexLevel& level, std::uint32_t hash, std::uint32_t block) {
  HashLimit* limit = level.limit();
  unsigned at = level.position + 1;
  std::memmove(static_cast<void*>(level.entries + at + 1), level.entries + at,
               (limit->count - at) * std::size_t{8});
  level.entries[at] = {hash, block};
  ++limit->count;
}

// True: the lowest index node has room. False: it has now, or is another: look again.
Result<bool> DirectoryAccess::make_index_room(Handle& handle, IndexWay& way) {
  IndexLevel& lowest = way.lowest();
  if (lowest.limit()->count < lowest.limit()->limit) return true;
  IndexLevel& root = way.levels[0];
  if (way.depth == 1 && root.limit()->count >= root.limit()->limit) return error(Errno::enospc);
  std::uint32_t logical;
  BufferRef block = TRY(inode_.append_block(handle, logical));
  TRY(handle.access(root.buffer));
  TRY(handle.access(lowest.buffer));
  *block->as<DirectoryEntry>() = {0, static_cast<std::uint16_t>(file_system_.block_size()), 0, 0};
  auto* entries = block->as<HashEntry>(8);
  unsigned count = lowest.limit()->count;
  if (way.depth == 0) {
    // One level more: everything goes into the new node.
    std::memcpy(static_cast<void*>(entries), root.entries, count * std::size_t{8});
    *block->as<HashLimit>(8) = {static_cast<std::uint16_t>(index_limit(false)),
                                static_cast<std::uint16_t>(count)};
    root.limit()->count = 1;
    root.entries[0].block = logical;
    root.buffer->as<HashRootInfo>(24)->indirect_levels = 1;
  } else {
    unsigned kept = count / 2;
    std::uint32_t hash = lowest.entries[kept].hash;
    std::memcpy(static_cast<void*>(entries), lowest.entries + kept, (count - kept) * std::size_t{8});
    *block->as<HashLimit>(8) = {static_cast<std::uint16_t>(index_limit(false)),
                                static_cast<std::uint16_t>(count - kept)};
    lowest.limit()->count = static_cast<std::uint16_t>(kept);
    seal_index(*lowest.buffer, 8);
    insert_index(root, hash, logical);
  }
  seal_index(*block, 8);
  seal_index(*root.buffer, 32);
  return false;
}

// The names of the upper half of the hashes move into a new leaf.
Result<void> DirectoryAccess::split_leaf(Handle& handle, IndexWay& way, std::uint8_t version) {
  struct Item {
    std::uint32_t hash;
    std::uint16_t offset, size;
  };
  IndexLevel& lowest = way.lowest();
  BufferRef old = TRY(read_block(lowest.entries[lowest.position].block & 0x0fffffff));
  base::Vector<Item> items;
  Result<void> failed;
  (void)TRY(for_entries(*old, [&](DirectoryEntry* entry, std::uint32_t offset) {
    if (!entry->inode) return true;
    failed = items.try_push_back({hash_of(name_of(entry), version), static_cast<std::uint16_t>(offset),
                                  static_cast<std::uint16_t>(needed(entry->name_length))});
    return static_cast<bool>(failed);
  }));
  TRY(failed);
  if (items.size() < 2) return error(Errno::enospc);
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.hash < b.hash; });
  std::uint32_t total = 0, lower = 0;
  for (const Item& item : items) total += item.size;
  std::size_t first_moved = 0;
  while (first_moved + 1 < items.size() && (first_moved == 0 || lower + items[first_moved].size <= total / 2))
    lower += items[first_moved++].size;
  core::PageRef copy = TRY(core::allocate_page());
  std::uint32_t logical;
  BufferRef fresh = TRY(inode_.append_block(handle, logical));
  TRY(handle.access(old));
  TRY(handle.access(lowest.buffer));
  std::memcpy(copy.data(), old->bytes(), file_system_.block_size());
  auto pack = [&](Buffer& block, std::size_t from, std::size_t to) {
    std::memset(block.bytes(), 0, file_system_.block_size());
    std::uint32_t at = 0;
    for (std::size_t i = from; i < to; ++i) {
      std::memcpy(block.bytes() + at, copy.data() + items[i].offset, items[i].size);
      bool is_last = i + 1 == to;
      block.as<DirectoryEntry>(at)->record_length =
          static_cast<std::uint16_t>(is_last ? usable() - at : items[i].size);
      at += items[i].size;
    }
    put_tail(block);
    seal(block);
  };
  pack(*old, 0, first_moved);
  pack(*fresh, first_moved, items.size());
  // A hash that is in both leaves: the lowest bit says so.
  std::uint32_t hash = items[first_moved].hash;
  insert_index(lowest, hash | (items[first_moved - 1].hash == hash ? 1 : 0), logical);
  seal_index(*lowest.buffer, way.depth ? 8 : 32);
  return {};
}

Result<void> DirectoryAccess::add_indexed(Handle& handle, std::string_view name, std::uint32_t number,
                                          std::uint8_t type) {
  for (int rounds = 0; rounds < 8; ++rounds) {
    IndexWay way;
    std::uint8_t version;
    std::uint32_t hash;
    TRY(find_leaf(0, version, name, way, hash));
    IndexLevel& lowest = way.lowest();
    BufferRef leaf = TRY(read_block(lowest.entries[lowest.position].block & 0x0fffffff));
    if (TRY(add_to_block(handle, leaf, name, number, type))) return {};
    if (!TRY(make_index_room(handle, way))) continue;
    TRY(split_leaf(handle, way, version));
  }
  return error(Errno::enospc);
}

// ---- The inode's side ----

Result<BufferRef> Ext4Inode::directory_block(std::uint32_t logical) {
  if (logical >= disk_size_ >> ext4().block_shift())
    return ext4().corrupted("block number in directory", number());
  core::ReadGuard guard{map_lock_};
  Mapping mapping = TRY(map(logical));
  if (mapping.is_hole() || mapping.unwritten) return ext4().corrupted("hole in directory", number());
  return ext4().buffers().read(mapping.physical);
}

Result<BufferRef> Ext4Inode::append_block(Handle& handle, std::uint32_t& logical) {
  logical = static_cast<std::uint32_t>(disk_size_ >> ext4().block_shift());
  if (!(disk_flags_ & flag_extents)) return error(Errno::eopnotsupp);
  core::WriteGuard guard{map_lock_};
  std::uint64_t goal = ext4().goal_for(*this);
  if (logical) {
    Mapping last = TRY(map(logical - 1));
    if (!last.is_hole()) goal = last.physical + 1;
  }
  std::uint64_t block = TRY(ext4().allocate_name_block(handle, goal));
  BufferRef buffer = TRY(ext4().buffers().make(block));
  TRY(handle.access(buffer));
  TRY(insert_extent(handle, logical, {block, 1}, false));
  disk_size_ += ext4().block_size();
  set_size(disk_size_);
  return buffer;
}

Result<Ext4Inode::Found> Ext4Inode::find_entry(std::string_view name) {
  auto place = TRY(DirectoryAccess(*this).find(name));
  if (!place.is_found()) return Found{};
  return Found{place.entry()->inode, place.entry()->type};
}

namespace {
std::uint8_t type_of(vfs::Mode mode) {
  switch (mode & vfs::mode_type_mask) {
    case vfs::mode_regular:
      return 1;
    case vfs::mode_directory:
      return 2;
    case vfs::mode_character:
      return 3;
    case vfs::mode_block:
      return 4;
    case vfs::mode_fifo:
      return 5;
    case vfs::mode_socket:
      return 6;
    default:
      return 7;
  }
}
std::uint8_t listing_type(std::uint8_t type) {
  static constexpr std::uint8_t types[8] = {0, 8, 4, 2, 6, 1, 12, 10};
  return type < 8 ? types[type] : 0;
}
}  // namespace

Result<void> Ext4Inode::add_entry(Handle& handle, std::string_view name, std::uint32_t entry_number,
                                  vfs::Mode mode) {
  return DirectoryAccess(*this).add(handle, name, entry_number, type_of(mode));
}

Result<void> Ext4Inode::remove_entry(Handle& handle, std::string_view name) {
  DirectoryAccess access(*this);
  auto place = TRY(access.find(name));
  if (!place.is_found()) return ext4().corrupted("entry has gone from directory", number());
  TRY(handle.access(place.buffer));
  access.remove(place);
  return {};
}

Result<void> Ext4Inode::change_entry(Handle& handle, std::string_view name, std::uint32_t entry_number,
                                     vfs::Mode mode) {
  DirectoryAccess access(*this);
  auto place = TRY(access.find(name));
  if (!place.is_found()) return ext4().corrupted("entry has gone from directory", number());
  TRY(handle.access(place.buffer));
  place.entry()->inode = entry_number;
  place.entry()->type = type_of(mode);
  // ".." of an indexed directory lies in its root.
  if (name == ".." && (disk_flags_ & flag_index))
    access.seal_root(*place.buffer);
  else
    access.seal(*place.buffer);
  return {};
}

Result<void> Ext4Inode::set_parent(Handle& handle, std::uint32_t parent) {
  return change_entry(handle, "..", parent, vfs::mode_directory);
}

Result<bool> Ext4Inode::is_empty_directory() {
  DirectoryAccess access(*this);
  for (std::uint32_t logical = 0; logical < access.block_total(); ++logical) {
    BufferRef block = TRY(access.read_block(logical));
    bool nothing = TRY(access.for_entries(*block, [&](DirectoryEntry* entry, std::uint32_t) {
      return entry->inode == 0 || name_of(entry) == "." || name_of(entry) == "..";
    }));
    if (!nothing) return false;
  }
  return true;
}

Result<void> Ext4Inode::make_first_block(Handle& handle, std::uint32_t parent) {
  std::uint32_t logical;
  BufferRef block = TRY(append_block(handle, logical));
  DirectoryAccess access(*this);
  auto* dot = block->as<DirectoryEntry>();
  *dot = {inode_number(), 12, 1, 2};
  dot->name[0] = '.';
  auto* dot_dot = block->as<DirectoryEntry>(12);
  *dot_dot = {parent, static_cast<std::uint16_t>(access.usable() - 12), 2, 2};
  std::memcpy(dot_dot->name, "..", 2);
  access.finish_block(*block);
  return {};
}

// Positions are bytes: an entry keeps its own for as long as it lives, unless its leaf is split.
Result<void> Ext4Inode::list(vfs::DirectorySink& sink, std::uint64_t& position) {
  DirectoryAccess access(*this);
  std::uint32_t size = ext4().block_size();
  while (position < disk_size_) {
    auto logical = static_cast<std::uint32_t>(position / size);
    BufferRef block = TRY(access.read_block(logical));
    std::uint64_t start = std::uint64_t{logical} * size;
    bool full = false;
    bool all = TRY(access.for_entries(*block, [&](DirectoryEntry* entry, std::uint32_t offset) {
      std::uint64_t at = start + offset, next = at + entry->record_length;
      if (at < position) return true;
      if (entry->inode && entry->name_length &&
          sink.entry(name_of(entry), entry->inode, listing_type(entry->type), next) == vfs::SinkState::full) {
        full = true;
        return false;
      }
      position = next;
      return true;
    }));
    if (!all && full) return {};
    position = start + size;
  }
  return {};
}

}  // namespace ext4
