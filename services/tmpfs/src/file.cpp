// Open files of tmpfs, and memfd.
#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_transfer.h"
#include "core/memory/slab.h"
#include "tmpfs_internal.h"

namespace tmpfs {

using page_cache::PageCache;
using vfs::IoFlags;

namespace {

class TmpfsFile final : public vfs::File {
 public:
  TmpfsFile() : File(has_position | can_map | no_wait_capable) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags) override {
    PageCache* cache = object().cache();
    if (!cache) {
      // Nothing was ever written: all of it is a hole.
      std::uint64_t size = object().size();
      if (offset >= size) return 0;
      std::size_t count =
          buffer.remaining() < size - offset ? buffer.remaining() : static_cast<std::size_t>(size - offset);
      std::size_t done = buffer.zero(count);
      if (!done && buffer.faulted()) return error(Errno::efault);
      return done;
    }
    std::size_t count = TRY(cache->read(buffer, offset));
    offer_resident(*cache);
    touch_access_time();
    return count;
  }

  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags) override {
    core::WriteGuard guard{inode().lock()};
    return write_locked(buffer, offset);
  }

  Result<std::size_t> append(core::IoBuffer& buffer, IoFlags, std::uint64_t& offset_after) override {
    core::WriteGuard guard{inode().lock()};
    std::uint64_t offset = inode().size();
    std::size_t count = TRY(write_locked(buffer, offset));
    offset_after = offset + count;
    return count;
  }

  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    PageCache* cache = object().cache();
    bool data = whence == vfs::Whence::data, hole = whence == vfs::Whence::hole;
    if (!data && !hole) return File::do_seek(offset, whence);
    if (offset < 0) return error(Errno::enxio);
    auto at = static_cast<std::uint64_t>(offset);
    if (cache) return data ? cache->seek_data(at) : cache->seek_hole(at);
    if (data || at >= inode().size()) return error(Errno::enxio);
    return at;
  }

  Result<void> map(core::MapRequest& request) override {
    bool shared = core::has(request.flags, core::MapFlags::shared);
    if (shared && (object().seals() & (seal_write | seal_future_write))) {
      if (core::includes(request.protection, core::Protection::write)) return error(Errno::eperm);
      request.maximum_protection =
          request.maximum_protection & (core::Protection::read | core::Protection::execute);
    }
    PageCache* cache = TRY(object().ensure_cache());
    request.object = RefPtr<core::MemoryObject>(cache);
    request.file = this;
    touch_access_time();
    return {};
  }

  Result<void> sync(std::uint64_t, std::uint64_t, bool) override { return {}; }

  Result<void> allocate(int mode, std::uint64_t offset, std::uint64_t length) override {
    constexpr int keep_size = 1, punch = 2;
    if (mode & ~(keep_size | punch)) return error(Errno::eopnotsupp);
    std::uint64_t end = offset + length;
    core::WriteGuard guard{inode().lock()};
    unsigned sealed = object().seals();
    if (mode & punch) {
      if (!(mode & keep_size)) return error(Errno::eopnotsupp);
      if (sealed & (seal_write | seal_future_write)) return error(Errno::eperm);
      if (PageCache* cache = object().cache()) TRY(cache->punch_hole(offset, end));
      inode().touch_modified();
      return {};
    }
    bool grows = !(mode & keep_size) && end > inode().size();
    if (grows && (sealed & seal_grow)) return error(Errno::eperm);
    // Whole or not at all: what lies behind the limit is beyond it.
    if (grows && TRY(vfs::limit_write(inode().size(), end - inode().size())) < end - inode().size()) {
      (void)TRY(vfs::limit_write(end, 1));
      return error(Errno::efbig);
    }
    PageCache* cache = TRY(object().ensure_cache());
    std::uint64_t old_size = cache->size();
    if (grows) TRY(cache->truncate(end));
    if (auto result = cache->allocate(offset, end); !result) {
      if (grows) TRY(cache->truncate(old_size));
      return result;
    }
    if (grows) inode().set_size(end);
    inode().touch_changed();
    return {};
  }

  Result<std::size_t> splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink) override {
    // Without a cache nothing was ever written, and reading goes through read_at().
    PageCache* cache = object().cache();
    if (!cache) return error(Errno::einval);
    return cache->read_pages(offset, length, sink);
  }

  // Whole pages that the file has not yet are taken as they are; the rest is copied.
  Result<std::size_t> splice_write(std::uint64_t offset, std::size_t length,
                                   core::PageSource& source) override {
    core::WriteGuard guard{inode().lock()};
    std::size_t total = 0;
    while (total < length) {
      core::PageSource::Piece piece = source.next();
      if (!piece.page) break;
      std::size_t count = piece.length < length - total ? piece.length : length - total;
      auto taken = put_piece(offset + total, piece, count);
      if (!taken) return total ? Result<std::size_t>(total) : taken;
      total += *taken;
      if (*taken < count) break;
    }
    return total;
  }

  Result<unsigned> seals() const override {
    if (!object().has(Inode::sealed_type)) return error(Errno::einval);
    return object().seals();
  }
  Result<void> add_seals(unsigned more) override {
    if (!object().has(Inode::sealed_type)) return error(Errno::einval);
    if (!can_write()) return error(Errno::eperm);
    if (more & ~0x3fu) return error(Errno::einval);
    core::WriteGuard guard{inode().lock()};
    unsigned sealed = object().seals();
    if (sealed & seal_seal) return error(Errno::eperm);
    if ((more & seal_write) && !(sealed & seal_write)) {
      PageCache* cache = object().cache();
      if (cache && cache->has_writable_shared_mappings()) return error(Errno::ebusy);
    }
    if ((more & seal_execute) && (inode().mode() & 0111))
      more |= seal_shrink | seal_grow | seal_write | seal_future_write;
    object().set_seals(sealed | more);
    return {};
  }

 private:
  TmpfsInode& object() const { return static_cast<TmpfsInode&>(inode()); }
  void touch_access_time() {
    if (!(flags() & vfs::open_no_access_time)) inode().touch_accessed(path().mount());
  }

  // A page that is somebody else's too (of another file, mapped, in a second pipe) must be copied.
  static bool is_ours_alone(const core::Page& page) {
    return page.reference_count() == 1 && page.map_count.load(std::memory_order_relaxed) == 0 &&
           !page.has(core::PageFlag::anonymous) && !page.has(core::PageFlag::compound_head) &&
           !page.has(core::PageFlag::compound_tail);
  }
  // The inode's lock is held exclusively.
  Result<std::size_t> put_piece(std::uint64_t offset, core::PageSource::Piece& piece, std::size_t count) {
    PageCache* cache = TRY(object().ensure_cache());
    bool whole = piece.offset == 0 && count == core::page_size && (offset & (core::page_size - 1)) == 0;
    std::uint64_t largest = inode().file_system().maximum_size();
    bool appends = offset >= cache->size() && offset < largest && count <= largest - offset &&
                   !object().seals() && !cache->has_page(offset >> core::page_shift);
    if (!whole || !appends || !is_ours_alone(*piece.page) || TRY(vfs::limit_write(offset, count)) < count) {
      auto bytes = std::span<const std::byte>(piece.page.data<const std::byte>() + piece.offset, count);
      auto buffer = core::IoBuffer::kernel(bytes);
      return write_locked(buffer, offset);
    }
    TRY(cache->clear_behind_end());
    vfs::drop_set_id_bits(inode(), credentials());
    TRY(cache->put_page(offset >> core::page_shift, std::move(piece.page), offset + count));
    inode().set_size(cache->size());
    inode().touch_modified();
    return count;
  }
  // The inode's lock is held exclusively.
  Result<std::size_t> write_locked(core::IoBuffer& buffer, std::uint64_t offset) {
    if (buffer.empty()) return 0;
    unsigned sealed = object().seals();
    if (sealed & (seal_write | seal_future_write)) return error(Errno::eperm);
    std::uint64_t largest = inode().file_system().maximum_size();
    if (offset >= largest) return error(Errno::efbig);
    std::size_t count = buffer.remaining();
    if (count > largest - offset) count = static_cast<std::size_t>(largest - offset);
    if ((sealed & seal_grow) && offset + count > inode().size()) {
      if (offset >= inode().size()) return error(Errno::eperm);
      count = static_cast<std::size_t>(inode().size() - offset);
    }
    count = TRY(vfs::limit_write(offset, count));
    std::size_t cut = buffer.truncate(count);
    PageCache* cache = TRY(object().ensure_cache());
    // What lies between the old end and the new data reads as zeroes.
    if (offset > cache->size()) TRY(cache->clear_behind_end());
    vfs::drop_set_id_bits(inode(), credentials());
    auto done = cache->write(buffer, offset);
    buffer.extend(cut);
    if (cache->size() != inode().size()) inode().set_size(cache->size());
    if (done && *done) inode().touch_modified();
    return done;
  }
};

constinit core::Mutex hidden_mutex{"hidden tmpfs"};
constinit TmpfsFileSystem* hidden = nullptr;

Result<TmpfsFileSystem*> hidden_file_system() {
  core::MutexGuard guard{hidden_mutex};
  if (!hidden) {
    auto fresh = TRY(base::try_make_ref<TmpfsFileSystem>(tmpfs_type, TmpfsFileSystem::tmpfs_magic));
    TRY(fresh->start("", TmpfsFileSystem::Limits::none, 01777));
    hidden = fresh.leak();
  }
  return hidden;
}

}  // namespace

Result<RefPtr<vfs::File>> make_file() { return RefPtr<vfs::File>(TRY(base::try_make_ref<TmpfsFile>())); }

Result<RefPtr<vfs::File>> create_memory_file(std::string_view name, vfs::Mode mode, Sealing sealing,
                                             RefPtr<const vfs::Credentials> credentials,
                                             vfs::OpenFlags flags) {
  TmpfsFileSystem* file_system = TRY(hidden_file_system());
  auto inode =
      TRY(make_inode(*file_system, {vfs::mode_regular | mode, credentials->fsuid, credentials->fsgid, {}}));
  TRY(inode->set_text(name));
  inode->set_link_count(0);
  inode->set_flag(Inode::sealed_type);
  inode->set_seals(sealing == Sealing::allowed ? 0u : seal_seal);
  auto path = TRY(vfs::path_of_anonymous_inode(std::move(inode)));
  auto file = TRY(make_file());
  file->attach(std::move(path), flags, std::move(credentials));
  return file;
}

}  // namespace tmpfs
