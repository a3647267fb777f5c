// A file or directory of a FAT in memory.
//
// Everything that the disk says of it is in its short entry, whose place on the volume is its identity
// (table_key; 0 for the root and for what has no name any more). store() writes what changed: with fsync and
// sync, at the last close, and at the end.
//
// Locking: entry_mutex_ is held while the entry is written or moves; chain_mutex_ protects the chain.
#pragma once

#include "chain.h"
#include "page_cache/page_cache.h"
#include "vfs/inode.h"

namespace vfat {

using vfs::Dentry;
using vfs::NewInode;

// An entry of a directory with its name.
struct FoundEntry {
  NameText name, short_name;
  ShortEntry entry;
  std::uint64_t first = 0, last = 0;  // offsets of its first and its short slot in the directory
  std::uint64_t place = 0;            // of the short one on the volume
};

class VfatInode final : public vfs::Inode, public page_cache::PageStore {
 public:
  static Result<RefPtr<VfatInode>> make(VfatFileSystem& file_system, const ShortEntry& entry);
  static Result<RefPtr<VfatInode>> make_root(VfatFileSystem& file_system);
  VfatFileSystem& vfat() const { return static_cast<VfatFileSystem&>(file_system()); }
  bool is_root() const { return is_root_; }

  // ---- vfs::Inode ----
  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<Inode>> create(Dentry& entry, const NewInode& properties) override;
  Result<RefPtr<Inode>> make_directory(Dentry& entry, const NewInode& properties) override;
  Result<void> unlink(Dentry& entry) override;
  Result<void> remove_directory(Dentry& entry) override;
  Result<void> rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind) override;
  // Other spellings of its name may lead here: they are looked up again once the name is gone.
  bool is_stale() const override { return has_moved_.load(); }
  std::uint32_t child_dentry_flags() const override { return Dentry::needs_validation; }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  Result<void> change_attributes(const vfs::AttributeChange& change) override;
  Result<void> truncate(std::uint64_t size) override;
  core::MemoryObject* memory_object() override { return cache_.get(); }

  // ---- page_cache::PageStore ----
  bool is_memory() const override { return false; }
  Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<void> write_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<bool> reserve_page(std::uint64_t index) override;
  void first_page_dirtied() override { acquire_reference(); }
  void last_page_cleaned() override { release_reference(); }

  page_cache::PageCache* cache() const { return cache_.get(); }
  Result<void> store();
  Result<void> sync(std::uint64_t from, std::uint64_t to);

  // ---- data.cpp; lock() held exclusively ----
  // Clusters for so many bytes, as far as there are any: for how many there are now. ENOSPC: no new one.
  Result<std::uint64_t> make_room(std::uint64_t bytes);
  // Clusters behind the size go.
  Result<void> trim();
  // Grows the file with zeroes.
  Result<void> extend(std::uint64_t new_size);

  // ---- directory.cpp; lock() held ----
  // Where byte `offset` of the directory lies, and how many follow it there. length 0: behind the end.
  struct Place {
    std::uint64_t offset = 0, length = 0;
  };
  Result<Place> place_in_directory(std::uint64_t offset);
  Result<bool> find(std::string_view name, FoundEntry& found);
  Result<bool> has_short_name(const std::uint8_t* name);
  // Puts the name with this short entry (its name is made here); gives the place of the short one.
  Result<std::uint64_t> add_entry(std::string_view name, ShortEntry& entry);
  Result<void> remove_entry(const FoundEntry& found);
  Result<void> list(vfs::DirectorySink& sink, std::uint64_t& position);
  Result<bool> is_empty_directory();

  base::TreeHook table_hook;  // the file system's, under its inodes_mutex_
  std::uint64_t table_key = 0;

 protected:
  void evict() override;
  bool evict_needs_locks() const override { return true; }
  void almost_unused() override;

 private:
  VfatInode(VfatFileSystem& file_system, std::uint64_t number, const NewInode& properties);
  static NewInode properties_of(VfatFileSystem& file_system, const ShortEntry& entry);
  Result<void> load(const ShortEntry& entry);
  Result<void> load_directory();
  void note_size_of_directory(std::uint32_t clusters);
  Result<RefPtr<Inode>> make_named(Dentry& entry, bool directory);
  Result<std::uint64_t> find_room(unsigned slots);
  Result<void> grow_directory();
  Result<void> find_form(ShortForm& form);
  Result<void> put_slot(std::uint64_t offset, const void* slot);
  Result<void> take_name(VfatInode& inode, const FoundEntry& found);
  Result<void> move_data(block::Operation operation, std::uint64_t first, std::span<core::Page* const> pages,
                         std::uint64_t end);
  void fill_entry(ShortEntry& entry);

  bool is_root_ = false;
  std::atomic<bool> has_moved_{false};
  bool is_loaded_ = false;
  std::atomic<std::uint8_t> attributes_{0};
  vfs::Timestamp birth_;
  core::Mutex entry_mutex_{"vfat entry"};
  core::Mutex chain_mutex_{"vfat chain"};
  Chain chain_ GUARDED_BY(chain_mutex_);
  RefPtr<page_cache::PageCache> cache_;
};

// Reads a directory from a place on, entry by entry. The directory's lock is held.
class DirectoryCursor {
 public:
  DirectoryCursor(VfatInode& directory, std::uint64_t offset) : directory_(directory), offset_(offset) {}
  // The next entry that has a name; false at the end.
  Result<bool> next(FoundEntry& found);
  // The next slot of any kind, with its offset.
  Result<bool> next_slot(std::byte (&slot)[entry_size], std::uint64_t& offset);
  std::uint64_t offset() const { return offset_; }

 private:
  void take_long(const LongEntry& piece, std::uint64_t offset);
  VfatInode& directory_;
  std::uint64_t offset_, place_ = 0;  // of the next slot, and where it lies
  std::byte memory_[512];
  std::size_t at_ = 0, filled_ = 0;
  // The long name that is being put together: it needs the pieces down to 1, each following the other.
  std::uint16_t units_[long_entries_max * long_units];
  unsigned expected_ = 0, pieces_ = 0;
  std::uint8_t checksum_ = 0;
  std::uint64_t first_ = 0;
};

// Times of the disk.
vfs::Timestamp decode_time(std::uint16_t date, std::uint16_t time, std::uint8_t hundredths,
                           const Options& options);
void encode_time(vfs::Timestamp stamp, const Options& options, std::uint16_t& date, std::uint16_t& time,
                 std::uint8_t& hundredths);

}  // namespace vfat
