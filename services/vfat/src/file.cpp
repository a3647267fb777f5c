// Open files and directories.
#include "vfs/file.h"

#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_transfer.h"
#include "core/memory/slab.h"
#include "inode.h"
#include "page_cache/writeback.h"
#include "vfs/operations.h"

namespace vfat {

using vfs::IoFlags;

namespace {

class VfatFile final : public vfs::File {
 public:
  explicit VfatFile(std::uint32_t error_seen) : File(has_position | can_map), error_seen_(error_seen) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags) override {
    if (offset < inode().size()) TRY(check_direct(buffer, offset));
    std::size_t count = TRY(object().cache()->read(buffer, offset));
    touch_access_time();
    return count;
  }

  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags) override {
    std::size_t count;
    TRY(check_direct(buffer, offset));
    {
      core::WriteGuard guard{inode().lock()};
      count = TRY(write_locked(buffer, offset));
    }
    return finish_write(offset, count, io_flags);
  }

  Result<std::size_t> append(core::IoBuffer& buffer, IoFlags io_flags, std::uint64_t& offset_after) override {
    std::size_t count;
    std::uint64_t offset;
    {
      core::WriteGuard guard{inode().lock()};
      offset = inode().size();
      TRY(check_direct(buffer, offset));
      count = TRY(write_locked(buffer, offset));
    }
    offset_after = offset + count;
    return finish_write(offset, count, io_flags);
  }

  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::data && whence != vfs::Whence::hole) return File::do_seek(offset, whence);
    // There are no holes.
    if (offset < 0 || static_cast<std::uint64_t>(offset) >= inode().size()) return error(Errno::enxio);
    return whence == vfs::Whence::data ? static_cast<std::uint64_t>(offset) : inode().size();
  }

  Result<void> map(core::MapRequest& request) override {
    request.object = RefPtr<core::MemoryObject>(object().cache());
    request.file = this;
    touch_access_time();
    return {};
  }

  Result<void> sync(std::uint64_t from, std::uint64_t to, bool) override {
    auto result = object().sync(from, to);
    TRY(object().cache()->check_error(error_seen_));
    return result;
  }

  Result<std::size_t> splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink) override {
    return object().cache()->read_pages(offset, length, sink);
  }

  // The size goes into the entry at the last close at the latest; errors show with fsync.
  void release() override {
    if (can_write()) (void)!object().store();
  }

 private:
  VfatInode& object() const { return static_cast<VfatInode&>(inode()); }
  void touch_access_time() {
    if (!(flags() & vfs::open_no_access_time)) inode().touch_accessed(path().mount());
  }
  // O_DIRECT goes through the page cache and is written through; Linux's rules of alignment hold.
  Result<void> check_direct(const core::IoBuffer& buffer, std::uint64_t offset) const {
    if (!(flags() & vfs::open_direct)) return {};
    std::uint32_t block = object().vfat().volume().disk().limits().logical_block;
    if ((offset & (block - 1)) || !buffer.is_aligned(block)) return error(Errno::einval);
    return {};
  }

  // The inode's lock is held exclusively.
  Result<std::size_t> write_locked(core::IoBuffer& buffer, std::uint64_t offset) {
    if (buffer.empty()) return 0;
    VfatInode& file = object();
    if (!file.vfat().is_writable()) return error(Errno::erofs);
    std::uint64_t largest = inode().file_system().maximum_size();
    if (offset >= largest) return error(Errno::efbig);
    std::size_t count = buffer.remaining();
    if (count > largest - offset) count = static_cast<std::size_t>(largest - offset);
    count = TRY(vfs::limit_write(offset, count));
    // What lies between the old end and the new data is written as zeroes: there are no holes.
    if (offset > file.size()) TRY(file.extend(offset));
    if (offset + count > file.size()) {
      auto made = file.make_room(offset + count);
      // What is there already can be written over.
      if (!made && (made.error() != Errno::enospc || offset >= file.size())) return error(made.error());
      std::uint64_t room = made ? *made : file.size();
      if (room <= offset) {
        TRY(file.trim());
        return error(Errno::enospc);
      }
      if (room - offset < count) count = static_cast<std::size_t>(room - offset);
    }
    std::size_t cut = buffer.truncate(count);
    page_cache::PageCache& cache = *file.cache();
    if (offset >= cache.size()) TRY(cache.clear_behind_end());
    vfs::drop_set_id_bits(inode(), credentials());
    auto done = cache.write(buffer, offset);
    buffer.extend(cut);
    if (cache.size() != inode().size()) inode().set_size(cache.size());
    if (!done || *done < count) TRY(file.trim());
    if (done && *done) inode().touch_modified();
    return done;
  }

  Result<std::size_t> finish_write(std::uint64_t offset, std::size_t count, IoFlags io_flags) {
    if (count == 0) return count;
    bool synced =
        (flags() & (vfs::open_data_sync | vfs::open_sync)) || (io_flags & (vfs::io_sync | vfs::io_data_sync));
    if (synced) {
      TRY(sync(offset, offset + count - 1, true));
    } else if (flags() & vfs::open_direct) {
      TRY(object().cache()->write_back(offset, offset + count - 1));
    } else {
      page_cache::throttle_writer(*object().cache());
    }
    return count;
  }

  std::atomic<std::uint32_t> error_seen_;
};

class VfatDirectory final : public vfs::File {
 public:
  VfatDirectory() : File(has_position | directory_file) {}
  Result<void> iterate(vfs::DirectorySink& sink) override {
    std::uint64_t at = position();
    auto result = static_cast<VfatInode&>(inode()).list(sink, at);
    set_position(at);
    return result;
  }
  Result<void> sync(std::uint64_t from, std::uint64_t to, bool) override {
    return static_cast<VfatInode&>(inode()).sync(from, to);
  }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }
};

}  // namespace

Result<RefPtr<vfs::File>> VfatInode::open(const vfs::OpenRequest&) {
  if (vfs::is_directory(mode())) return RefPtr<vfs::File>(TRY(base::try_make_ref<VfatDirectory>()));
  return RefPtr<vfs::File>(TRY(base::try_make_ref<VfatFile>(cache_->sample_error())));
}

}  // namespace vfat
