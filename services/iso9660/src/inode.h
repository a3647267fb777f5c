// A file, directory, link or node of a disc in memory. Its identity is the place of its first record.
#pragma once

#include "file_system.h"
#include "vfs/inode.h"

namespace iso9660 {

class IsoInode final : public vfs::Inode, public page_cache::PageStore {
 public:
  static Result<RefPtr<IsoInode>> load(IsoFileSystem& file_system, std::uint64_t place);
  IsoFileSystem& iso() const { return static_cast<IsoFileSystem&>(file_system()); }

  // ---- vfs::Inode ----
  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  core::MemoryObject* memory_object() override { return cache_.get(); }

  // ---- page_cache::PageStore ----
  bool is_memory() const override { return false; }
  Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<bool> reserve_page(std::uint64_t) override { return error(Errno::erofs); }

  base::TreeHook table_hook;
  std::uint64_t table_key = 0;

 protected:
  void evict() override;
  bool evict_needs_locks() const override { return true; }

 private:
  IsoInode(IsoFileSystem& file_system, std::uint64_t number, const vfs::NewInode& properties);
  Result<void> load_contents(std::uint64_t place, const Record& first);

  struct Extent {
    std::uint64_t place, bytes;
  };
  struct Entry {
    Record record;
    RockRidge rock_ridge;
    char memory[256];
    std::string_view name;
    std::uint64_t place = 0;  // of its record; of a relocated directory, of its own first record
    std::uint64_t next = 0;   // offset in the directory of what follows
  };
  // The next entry that is shown, from an offset of the directory on; false at the end.
  Result<bool> next_entry(std::uint64_t offset, Entry& entry);
  static Result<void> list(vfs::Inode& inode, vfs::DirectorySink& sink, std::uint64_t& position);

  base::Vector<Extent> extents_;  // immutable after load()
  bool is_compressed_ = false, is_interleaved_ = false;
  base::String link_text_;
  RefPtr<page_cache::PageCache> cache_;
};

}  // namespace iso9660
