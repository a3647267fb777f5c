// Open files and directories.
#include "vfs/file.h"
#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_transfer.h"
#include "core/memory/slab.h"
#include "core/memory/user_pointer.h"
#include "inode.h"
#include "page_cache/writeback.h"
#include "vfs/operations.h"

namespace ext4 {

using vfs::IoFlags;

namespace {

// linux/fs.h.
constexpr unsigned fitrim = 0xc0185879;
struct TrimRange {
  std::uint64_t start = 0, length = 0, minimum = 0;
};

Result<long> file_system_ioctl(vfs::File& file, unsigned command, std::uintptr_t argument) {
  if (command != fitrim) return error(Errno::enotty);
  auto who = vfs::acting_credentials();
  if (who && !who->can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  auto& file_system = static_cast<Ext4Inode&>(file.inode()).ext4();
  if (!file_system.volume().disk().limits().discard_sectors_max) return error(Errno::eopnotsupp);
  if (!file_system.is_writable()) return error(Errno::erofs);
  auto range = TRY(core::UserIn<TrimRange>(argument).read());
  range.length = TRY(file_system.trim(range.start, range.length, range.minimum));
  TRY(core::UserOut<TrimRange>(argument).write(range));
  return 0;
}

class Ext4File final : public vfs::File {
 public:
  explicit Ext4File(std::uint32_t error_seen) : File(has_position | can_map), error_seen_(error_seen) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags) override {
    if (offset < inode().size()) TRY(check_direct(buffer, offset));
    std::size_t count = TRY(object().cache()->read(buffer, offset));
    offer_resident(*object().cache());
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
    if (offset < 0) return error(Errno::enxio);
    return seek_extent(static_cast<std::uint64_t>(offset), whence == vfs::Whence::data);
  }

  Result<void> map(core::MapRequest& request) override {
    request.object = RefPtr<core::MemoryObject>(object().cache());
    request.file = this;
    touch_access_time();
    return {};
  }

  Result<void> sync(std::uint64_t from, std::uint64_t to, bool data_only) override {
    auto result = object().sync(from, to, data_only);
    TRY(object().cache()->check_error(error_seen_));
    return result;
  }

  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    return file_system_ioctl(*this, command, argument);
  }
  Result<void> allocate(int mode, std::uint64_t offset, std::uint64_t length) override;
  Result<std::size_t> splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink) override;

 private:
  Ext4Inode& object() const { return static_cast<Ext4Inode&>(inode()); }
  void touch_access_time() {
    if (!(flags() & vfs::open_no_access_time)) inode().touch_accessed(path().mount());
  }
  // O_DIRECT goes through the page cache and is written through; Linux's rules hold all the same, so that a
  // program that is wrong there is wrong here.
  Result<void> check_direct(const core::IoBuffer& buffer, std::uint64_t offset) const {
    if (!(flags() & vfs::open_direct)) return {};
    std::uint32_t block = object().ext4().volume().disk().limits().logical_block;
    if ((offset & (block - 1)) || !buffer.is_aligned(block)) return error(Errno::einval);
    return {};
  }
  Result<std::size_t> write_locked(core::IoBuffer& buffer, std::uint64_t offset);
  Result<std::size_t> finish_write(std::uint64_t offset, std::size_t count, IoFlags io_flags);
  Result<std::uint64_t> seek_extent(std::uint64_t offset, bool data);
  Result<void> punch(std::uint64_t from, std::uint64_t to);
  static constexpr int collapse_range = 8, insert_range = 0x20;
  Result<void> shift(int mode, std::uint64_t offset, std::uint64_t length);

  std::atomic<std::uint32_t> error_seen_;
};

// The inode's lock is held exclusively.
Result<std::size_t> Ext4File::write_locked(core::IoBuffer& buffer, std::uint64_t offset) {
  if (buffer.empty()) return 0;
  if (inode().has(vfs::Inode::swap_file)) return error(Errno::etxtbsy);
  std::uint64_t largest = inode().file_system().maximum_size();
  if (offset >= largest) return error(Errno::efbig);
  std::size_t count = buffer.remaining();
  if (count > largest - offset) count = static_cast<std::size_t>(largest - offset);
  count = TRY(vfs::limit_write(offset, count));
  std::size_t cut = buffer.truncate(count);
  page_cache::PageCache& cache = *object().cache();
  // What lies between the old end and the new data reads as zeroes.
  if (offset > cache.size()) TRY(cache.clear_behind_end());
  vfs::drop_set_id_bits(inode(), credentials());
  auto done = cache.write(buffer, offset);
  if (!done && done.error() == Errno::enospc && object().ext4().make_room())
    done = cache.write(buffer, offset);
  buffer.extend(cut);
  if (cache.size() != inode().size()) inode().set_size(cache.size());
  if (done && *done) inode().touch_modified();
  return done;
}

Result<std::size_t> Ext4File::finish_write(std::uint64_t offset, std::size_t count, IoFlags io_flags) {
  if (count == 0) return count;
  bool full = (flags() & vfs::open_sync) == vfs::open_sync || (io_flags & vfs::io_sync);
  bool data = (flags() & vfs::open_data_sync) || (io_flags & vfs::io_data_sync);
  if (full || data) {
    TRY(sync(offset, offset + count - 1, !full));
  } else if (flags() & vfs::open_direct) {
    TRY(object().cache()->write_back(offset, offset + count - 1));
  } else {
    page_cache::throttle_writer(*object().cache());
  }
  return count;
}

// By the extents, after everything has got one.
Result<std::uint64_t> Ext4File::seek_extent(std::uint64_t offset, bool data) {
  Ext4Inode& inode = object();
  if (inode.cache()->has_dirty_pages()) TRY(inode.cache()->write_back(0, ~std::uint64_t{0}));
  std::uint64_t size = inode.size();
  if (offset >= size) return error(Errno::enxio);
  unsigned shift = inode.ext4().block_shift();
  core::ReadGuard guard{inode.map_lock()};
  for (std::uint64_t at = offset >> shift; at << shift < size;) {
    Mapping mapping = TRY(inode.map(static_cast<std::uint32_t>(at)));
    bool is_data = !mapping.is_hole() && !mapping.unwritten;
    if (is_data == data) return at << shift > offset ? at << shift : offset;
    at += mapping.count;
  }
  if (data) return error(Errno::enxio);
  return size;
}

Result<void> Ext4File::punch(std::uint64_t from, std::uint64_t to) {
  Ext4Inode& inode = object();
  page_cache::PageCache& cache = *inode.cache();
  if (to > inode.size()) to = inode.size();
  if (from >= to) return {};
  TRY(cache.punch_hole(from, to));
  std::uint64_t mask = inode.ext4().block_size() - 1;
  unsigned shift = inode.ext4().block_shift();
  std::uint64_t first = (from + mask) >> shift, end = to == inode.size() ? (to + mask) >> shift : to >> shift;
  {
    // Nothing is read from or written to the blocks while they go.
    core::WriteGuard contents{cache.contents_lock()};
    core::MutexGuard writing{cache.writeback_mutex()};
    for (bool done = first >= end; !done;) {
      Handle handle;
      TRY(handle.start(inode.ext4().journal(), Ext4Inode::extent_credits + 8));
      core::WriteGuard guard{inode.map_lock()};
      auto removed = inode.remove_extents(handle, static_cast<std::uint32_t>(first), end);
      Indivisible change(handle);
      TRY(inode.store(handle));
      TRY(change.done());
      done = TRY(removed);
    }
  }
  // What was read in between is what was there before.
  return cache.punch_hole(from, to);
}

// What is behind moves, so nothing of it may be in memory, or come into it, meanwhile.
Result<void> Ext4File::shift(int mode, std::uint64_t offset, std::uint64_t length) {
  Ext4Inode& inode = object();
  bool inserts = mode == insert_range;
  std::uint64_t mask = inode.ext4().block_size() - 1, size = inode.size();
  unsigned shift = inode.ext4().block_shift();
  if ((offset & mask) || (length & mask)) return error(Errno::einval);
  if (inserts && length > inode.file_system().maximum_size() - size) return error(Errno::efbig);
  if (inserts ? offset >= size : offset + length >= size) return error(Errno::einval);
  std::uint64_t new_size = inserts ? size + length : size - length;
  if (inserts && TRY(vfs::limit_write(size, length)) < length) {
    (void)TRY(vfs::limit_write(size + length, 1));  // whole or not at all: tells of the limit
    return error(Errno::efbig);
  }
  TRY(inode.cache()->rearrange(offset, new_size, [&] {
    return inserts ? inode.insert_blocks(static_cast<std::uint32_t>(offset >> shift),
                                         static_cast<std::uint32_t>(length >> shift), new_size)
                   : inode.collapse_blocks(static_cast<std::uint32_t>(offset >> shift),
                                           static_cast<std::uint32_t>((offset + length) >> shift), new_size);
  }));
  return {};
}

Result<void> Ext4File::allocate(int mode, std::uint64_t offset, std::uint64_t length) {
  constexpr int keep_size = 1, punch_hole = 2, zero_range = 0x10;
  if (mode == collapse_range || mode == insert_range) {
    if (!object().ext4().is_writable()) return error(Errno::erofs);
    core::WriteGuard guard{inode().lock()};
    return shift(mode, offset, length);
  }
  if (mode & ~(keep_size | punch_hole | zero_range)) return error(Errno::eopnotsupp);
  if ((mode & punch_hole) && mode != (punch_hole | keep_size)) return error(Errno::eopnotsupp);
  Ext4Inode& inode = object();
  if (!inode.ext4().is_writable()) return error(Errno::erofs);
  std::uint64_t end = offset + length;
  core::WriteGuard guard{inode.lock()};
  bool grows = !(mode & keep_size) && end > inode.size();
  if (grows && TRY(vfs::limit_write(inode.size(), end - inode.size())) < end - inode.size()) {
    (void)TRY(vfs::limit_write(end, 1));
    return error(Errno::efbig);
  }
  if (mode & (punch_hole | zero_range)) TRY(punch(offset, end));
  if (!(mode & punch_hole)) {
    // Pages with promised blocks get them now.
    TRY(inode.cache()->write_back(offset, end - 1));
    TRY(inode.allocate_range(offset, end));
  }
  if (grows) TRY(inode.truncate(end));
  inode.touch_modified();
  return inode.store_if_changed();
}

Result<std::size_t> Ext4File::splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink) {
  return object().cache()->read_pages(offset, length, sink);
}

class Ext4Directory final : public vfs::File {
 public:
  Ext4Directory() : File(has_position | directory_file) {}
  Result<void> iterate(vfs::DirectorySink& sink) override {
    std::uint64_t at = position();
    auto result = static_cast<Ext4Inode&>(inode()).list(sink, at);
    set_position(at);
    return result;
  }
  Result<void> sync(std::uint64_t from, std::uint64_t to, bool data_only) override {
    return static_cast<Ext4Inode&>(inode()).sync(from, to, data_only);
  }
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    return file_system_ioctl(*this, command, argument);
  }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }
};

}  // namespace

Result<RefPtr<vfs::File>> Ext4Inode::open(const vfs::OpenRequest& request) {
  switch (mode() & vfs::mode_type_mask) {
    case vfs::mode_regular:
      return RefPtr<vfs::File>(TRY(base::try_make_ref<Ext4File>(cache_->sample_error())));
    case vfs::mode_directory:
      return RefPtr<vfs::File>(TRY(base::try_make_ref<Ext4Directory>()));
    default:
      return Inode::open(request);
  }
}

}  // namespace ext4
