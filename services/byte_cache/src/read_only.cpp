#include "byte_cache/read_only.h"

#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_transfer.h"
#include "core/memory/slab.h"
#include "vfs/inode.h"

namespace byte_cache {

using base::error;

namespace {

class CachedFile final : public vfs::File {
 public:
  explicit CachedFile(RefPtr<page_cache::PageCache> cache)
      : File(has_position | can_map), cache_(std::move(cache)) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    return cache_->read(buffer, offset);
  }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::data && whence != vfs::Whence::hole) return File::do_seek(offset, whence);
    // Holes are not told apart.
    if (offset < 0 || static_cast<std::uint64_t>(offset) >= inode().size()) return error(Errno::enxio);
    return whence == vfs::Whence::data ? static_cast<std::uint64_t>(offset) : inode().size();
  }
  Result<void> map(core::MapRequest& request) override {
    request.object = cache_;
    request.file = this;
    return {};
  }
  Result<void> sync(std::uint64_t, std::uint64_t, bool) override { return {}; }
  Result<std::size_t> splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink) override {
    return cache_->read_pages(offset, length, sink);
  }

 private:
  RefPtr<page_cache::PageCache> cache_;
};

class ListedDirectory final : public vfs::File {
 public:
  explicit ListedDirectory(ListFunction list) : File(has_position | directory_file), list_(list) {}
  Result<void> iterate(vfs::DirectorySink& sink) override {
    std::uint64_t at = position();
    auto result = list_(inode(), sink, at);
    set_position(at);
    return result;
  }
  Result<void> sync(std::uint64_t, std::uint64_t, bool) override { return {}; }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }

 private:
  const ListFunction list_;
};

}  // namespace

Result<RefPtr<vfs::File>> open_cached_file(RefPtr<page_cache::PageCache> cache) {
  return RefPtr<vfs::File>(TRY(base::try_make_ref<CachedFile>(std::move(cache))));
}
Result<RefPtr<vfs::File>> open_listed_directory(ListFunction list) {
  return RefPtr<vfs::File>(TRY(base::try_make_ref<ListedDirectory>(list)));
}

}  // namespace byte_cache
