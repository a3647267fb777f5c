// The entries of one directory.
//
// A directory is a row of blocks. Plain: each block is full of entries, one behind the other, and free room
// belongs to the entry before it. Indexed: block 0 begins with "." and "..", and is the root of a tree of
// hashes whose leaves are such plain blocks; every leaf holds the names of one range of hashes.
//
// The directory's lock is held by callers, exclusively for changes. What is read is checked: entries stay
// inside their block, index nodes inside their limits, the tree ends after three levels.
#pragma once

#include "directory_hash.h"
#include "inode.h"

namespace ext4 {

class DirectoryAccess {
 public:
  explicit DirectoryAccess(Ext4Inode& directory) : inode_(directory), file_system_(directory.ext4()) {}

  struct Place {
    BufferRef buffer;
    std::uint32_t offset = 0;    // of the entry
    std::uint32_t previous = 0;  // of the one before it in the block; the same for the first
    DirectoryEntry* entry() const { return buffer->as<DirectoryEntry>(offset); }
    bool is_found() const { return static_cast<bool>(buffer); }
  };
  Result<Place> find(std::string_view name);
  Result<void> add(Handle& handle, std::string_view name, std::uint32_t number, std::uint8_t type);
  void remove(Place& place);  // access() done by the caller
  void seal(Buffer& block);
  void seal_root(Buffer& block) { seal_index(block, 32); }
  void finish_block(Buffer& block) {
    put_tail(block);
    seal(block);
  }

  // Calls visit(entry, offset) for each entry of the block, used or not; false ends.
  template <typename Visit>
  Result<bool> for_entries(Buffer& block, Visit&& visit);
  Result<BufferRef> read_block(std::uint32_t logical);
  static std::uint32_t needed(std::size_t name_length) {
    return static_cast<std::uint32_t>(sizeof(DirectoryEntry) + name_length + 3) & ~3u;
  }
  std::uint32_t usable() const { return file_system_.block_size() - (file_system_.has_checksums() ? 12 : 0); }
  std::uint32_t block_total() const {
    return static_cast<std::uint32_t>(inode_.disk_size_ >> file_system_.block_shift());
  }

 private:
  struct IndexLevel {
    BufferRef buffer;
    HashEntry* entries = nullptr;
    unsigned position = 0;
    HashLimit* limit() const {
      return static_cast<HashLimit*>(static_cast<void*>(entries));
    }  // SAFETY: both packed, the same size
  };
  struct IndexWay {
    IndexLevel levels[2];
    unsigned depth = 0;  // levels below the root
    IndexLevel& lowest() { return levels[depth]; }
  };

  bool is_indexed() const { return inode_.disk_flags_ & flag_index; }
  bool block_is_right(Buffer& block, std::uint32_t logical) const;
  std::uint32_t index_checksum(Buffer& block, std::uint32_t entries_offset) const;
  void seal_index(Buffer& block, std::uint32_t entries_offset);
  void put_tail(Buffer& block) const;
  std::uint32_t hash_of(std::string_view name, std::uint8_t version) const;

  Result<Place> find_in_block(BufferRef block, std::string_view name);
  Result<Place> find_indexed(std::string_view name);
  Result<void> find_leaf(std::uint32_t hash, std::uint8_t& version, std::string_view name, IndexWay& way,
                         std::uint32_t& found_hash);
  Result<bool> next_leaf(std::uint32_t hash, IndexWay& way);
  Result<IndexLevel> read_index(std::uint32_t logical, bool root);
  std::uint32_t index_limit(bool root) const {
    return (file_system_.block_size() - (root ? 32 : 8) - (file_system_.has_checksums() ? 8 : 0)) / 8;
  }

  Result<bool> add_to_block(Handle& handle, BufferRef& block, std::string_view name, std::uint32_t number,
                            std::uint8_t type);
  Result<void> add_indexed(Handle& handle, std::string_view name, std::uint32_t number, std::uint8_t type);
  Result<void> make_indexed(Handle& handle);
  Result<void> split_leaf(Handle& handle, IndexWay& way, std::uint8_t version);
  Result<bool> make_index_room(Handle& handle, IndexWay& way);
  static void insert_index(IndexLevel& level, std::uint32_t hash, std::uint32_t block);

  Ext4Inode& inode_;
  Ext4FileSystem& file_system_;
};

template <typename Visit>
Result<bool> DirectoryAccess::for_entries(Buffer& block, Visit&& visit) {
  std::uint32_t size = file_system_.block_size();
  for (std::uint32_t offset = 0; offset + sizeof(DirectoryEntry) <= size;) {
    auto* entry = block.as<DirectoryEntry>(offset);
    std::uint32_t length = entry->record_length;
    if (length < 12 || length % 4 || length > size - offset ||
        (entry->inode && needed(entry->name_length) > length) ||
        entry->inode > file_system_.super().inodes_count)
      return file_system_.corrupted("entry in directory", inode_.number());
    if (!visit(entry, offset)) return false;
    offset += length;
  }
  return true;
}

}  // namespace ext4
