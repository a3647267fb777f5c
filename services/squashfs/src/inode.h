// A file, directory, link or node of a squashfs in memory: all of its record that is needed later.
//
// Where each block of a file lies follows from the sizes of those before it. The list is read as far as
// somebody has read the file, under blocks_mutex_.
#pragma once

#include "file_system.h"
#include "vfs/inode.h"

namespace squashfs {

class SquashInode final : public vfs::Inode, public page_cache::PageStore {
 public:
  static Result<RefPtr<SquashInode>> load(SquashFileSystem& file_system, std::uint64_t reference);
  ~SquashInode() override;
  SquashFileSystem& squash() const { return static_cast<SquashFileSystem&>(file_system()); }

  // ---- vfs::Inode ----
  Result<RefPtr<Inode>> lookup(std::string_view name) override;
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;
  Result<void> get_attributes(vfs::Attributes& out) override;
  core::MemoryObject* memory_object() override { return cache_.get(); }
  Result<base::Vector<char>> get_xattr(std::string_view name) override;
  void list_xattrs(base::TextSink& out) override;

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
  SquashInode(SquashFileSystem& file_system, std::uint64_t number, const vfs::NewInode& properties);
  Result<void> load_kind(const InodeHead& head, Cursor& cursor);
  Result<void> load_directory(const InodeHead& head, Cursor& cursor);
  Result<void> load_file(const InodeHead& head, Cursor& cursor);
  Result<void> load_symlink(const InodeHead& head, Cursor& cursor);

  struct Stretch {
    std::uint64_t start = 0;
    std::uint32_t size = 0;  // 0: a hole
  };
  Result<Stretch> block_at(std::uint64_t index);
  // Bytes of the file's block, to be copied to the pages; null for a hole.
  Result<RefPtr<Block>> content(std::uint64_t index, std::size_t& offset, std::size_t& length);

  // ---- directories ----
  struct Entry {
    char name[256];
    std::size_t name_size = 0;
    std::uint64_t reference = 0;
    std::uint32_t number = 0;
    std::uint16_t type = 0;
    std::string_view view() const { return {name, name_size}; }
  };
  // Calls `use(entry, position behind it)` for those from a position on, until it says no.
  Result<void> for_each_entry(std::uint64_t from, base::FunctionRef<bool(const Entry&, std::uint64_t)> use);
  static Result<void> list(vfs::Inode& inode, vfs::DirectorySink& sink, std::uint64_t& position);
  // Calls `use(prefix, name, cursor of the value, whether it is elsewhere)` until it says no.
  Result<void> for_each_xattr(
      base::FunctionRef<Result<bool>(std::string_view, std::string_view, Cursor&, bool elsewhere)> use);

  std::uint32_t xattr_ = no_xattr;
  // Directories: where their entries lie.
  Cursor entries_;
  std::uint32_t entries_size_ = 0, parent_ = 0;
  // Files.
  std::uint64_t blocks_total_ = 0;
  std::uint32_t fragment_ = no_fragment, fragment_offset_ = 0;
  core::Mutex blocks_mutex_{"squashfs file"};
  Cursor sizes_ GUARDED_BY(blocks_mutex_);  // the next of the list
  std::uint64_t next_start_ GUARDED_BY(blocks_mutex_) = 0;
  base::Vector<Stretch> blocks_ GUARDED_BY(blocks_mutex_);
  RefPtr<page_cache::PageCache> cache_;
  char* link_text_ = nullptr;
};

}  // namespace squashfs
