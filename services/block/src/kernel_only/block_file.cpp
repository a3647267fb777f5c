#include "block_file.h"

#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_transfer.h"
#include "core/memory/user_pointer.h"
#include "vfs/operations.h"

namespace block {

using vfs::IoFlags;

namespace {

// linux/fs.h.
enum Ioctl : unsigned {
  set_read_only = 0x125d,         // BLKROSET
  get_read_only = 0x125e,         // BLKROGET
  reread_partitions = 0x125f,     // BLKRRPART
  get_sectors = 0x1260,           // BLKGETSIZE
  flush_buffers = 0x1261,         // BLKFLSBUF
  set_read_ahead = 0x1262,        // BLKRASET
  get_read_ahead = 0x1263,        // BLKRAGET
  get_logical_block = 0x1268,     // BLKSSZGET
  discard_range = 0x1277,         // BLKDISCARD
  get_minimum_io = 0x1278,        // BLKIOMIN
  get_optimal_io = 0x1279,        // BLKIOOPT
  get_alignment_offset = 0x127a,  // BLKALIGNOFF
  get_physical_block = 0x127b,    // BLKPBSZGET
  get_rotational = 0x127e,        // BLKROTATIONAL
  zero_range = 0x127f,            // BLKZEROOUT
  get_block_size = 0x80081270,    // BLKBSZGET
  set_block_size = 0x40081271,    // BLKBSZSET
  get_bytes = 0x80081272,         // BLKGETSIZE64
};

class BlockFile final : public vfs::File {
 public:
  explicit BlockFile(RefPtr<Volume> volume) : File(has_position | can_map), volume_(std::move(volume)) {
    volume_->open_count.fetch_add(1);
    error_seen_.store(cache().sample_error(), std::memory_order_relaxed);
  }

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags) override {
    TRY(check_direct(buffer, offset));
    return cache().read(buffer, offset);
  }

  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags) override {
    if (volume_->is_read_only()) return error(Errno::eperm);
    TRY(check_direct(buffer, offset));
    if (buffer.empty()) return 0;
    std::uint64_t end = volume_->bytes();
    if (offset >= end) return error(Errno::enospc);
    std::size_t cut =
        buffer.remaining() > end - offset ? buffer.truncate(static_cast<std::size_t>(end - offset)) : 0;
    auto done = cache().write(buffer, offset);
    buffer.extend(cut);
    if (!done || !*done) return done;
    bool stable = (flags() & open_data_sync_bit) || (io_flags & (vfs::io_sync | vfs::io_data_sync));
    if (stable || (flags() & vfs::open_direct)) {
      TRY(cache().write_back(offset, offset + *done - 1));
      if (stable) TRY(volume_->flush());
    }
    return done;
  }
  Result<std::size_t> append(core::IoBuffer& buffer, IoFlags io_flags, std::uint64_t& offset_after) override {
    offset_after = volume_->bytes();
    return write_at(buffer, volume_->bytes(), io_flags);
  }

  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    std::int64_t base = whence == vfs::Whence::end ? static_cast<std::int64_t>(volume_->bytes()) : 0;
    if (whence != vfs::Whence::set && whence != vfs::Whence::end) return error(Errno::einval);
    std::int64_t at;
    if (__builtin_add_overflow(base, offset, &at) || at < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(at);
  }

  Result<void> map(core::MapRequest& request) override {
    request.object = RefPtr<core::MemoryObject>(&cache());
    request.file = this;
    return {};
  }

  Result<void> sync(std::uint64_t from, std::uint64_t to, bool) override {
    (void)!cache().write_back(from, to);  // reported below, once to each
    TRY(cache().check_error(error_seen_));
    if (volume_->is_read_only()) return {};
    return volume_->flush();
  }

  Result<std::size_t> splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink) override {
    return cache().read_pages(offset, length, sink);
  }

  Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  Result<void> allocate(int mode, std::uint64_t offset, std::uint64_t length) override;

  void release() override {
    // As on Linux, the last close writes what was written.
    volume_->closing_count.fetch_add(1);
    if (volume_->open_count.fetch_sub(1) == 1) {
      if (!volume_->is_read_only() && cache().has_dirty_pages()) (void)!volume_->sync();
      (void)cache().drop_clean();
    }
    volume_->closing_count.fetch_sub(1);
    volume_->disk().driver().closed();
  }

 private:
  static constexpr vfs::OpenFlags open_data_sync_bit = vfs::open_data_sync;
  page_cache::PageCache& cache() const { return volume_->cache(); }
  // O_DIRECT goes through the cache too, but keeps its rules.
  Result<void> check_direct(const core::IoBuffer& buffer, std::uint64_t offset) const {
    if (!(flags() & vfs::open_direct)) return {};
    std::uint32_t block = volume_->disk().limits().logical_block;
    if ((offset & (block - 1)) || !buffer.is_aligned(block)) return error(Errno::einval);
    return {};
  }
  bool may_administer() const { return credentials().can(vfs::Capability::sys_admin); }
  enum class Change { discard, zero };
  Result<void> change_range(Change change, std::uint64_t from, std::uint64_t length);

  template <typename T>
  static Result<long> give(std::uintptr_t argument, T value) {
    TRY(core::UserOut<T>(argument).write(value));
    return 0;
  }

  RefPtr<Volume> volume_;
  std::atomic<std::uint32_t> error_seen_{0};
};

// What is cached of the range goes before and after: what was read in between is what was there before.
Result<void> BlockFile::change_range(Change change, std::uint64_t from, std::uint64_t length) {
  if (!can_write()) return error(Errno::ebadf);
  if (volume_->is_read_only()) return error(Errno::eperm);
  if ((from | length) & (volume_->disk().limits().logical_block - 1)) return error(Errno::einval);
  if (length == 0 || from > volume_->bytes() || length > volume_->bytes() - from) return error(Errno::einval);
  if (change == Change::discard && !volume_->disk().limits().discard_sectors_max)
    return error(Errno::eopnotsupp);
  std::uint64_t first_page_byte = from & ~std::uint64_t{core::page_size - 1},
                last_page_byte = (from + length - 1) | (core::page_size - 1);
  // Parts of pages at the ends are zeroed in memory; their other parts are not lost.
  TRY(cache().write_back(first_page_byte, last_page_byte));
  TRY(cache().punch_hole(from, from + length));
  TRY(cache().write_back(first_page_byte, last_page_byte));
  std::uint64_t sector = from >> sector_shift, count = length >> sector_shift;
  TRY(change == Change::discard ? volume_->discard(sector, count) : volume_->write_zeroes(sector, count));
  return cache().punch_hole(from, from + length);
}

// Only what leaves zeroes, or less, behind: a device has no holes to fill.
Result<void> BlockFile::allocate(int mode, std::uint64_t offset, std::uint64_t length) {
  constexpr int keep_size = 1, punch_hole = 2, no_hide_stale = 4, zero_range = 0x10;
  std::uint64_t end = volume_->bytes();
  bool is_zero = mode == zero_range || mode == (zero_range | keep_size) || mode == (punch_hole | keep_size);
  bool is_discard = mode == (punch_hole | keep_size | no_hide_stale);
  if (!is_zero && !is_discard) return error(Errno::eopnotsupp);
  if (offset >= end) return error(Errno::einval);
  if (length > end - offset) {
    if (!(mode & keep_size)) return error(Errno::einval);
    length = end - offset;
  }
  return change_range(is_discard ? Change::discard : Change::zero, offset, length);
}

Result<long> BlockFile::ioctl(unsigned command, std::uintptr_t argument) {
  Disk& disk = volume_->disk();
  const DiskLimits& limits = disk.limits();
  switch (command) {
    case get_bytes:
      return give<std::uint64_t>(argument, volume_->bytes());
    case get_sectors:
      return give<std::uint64_t>(argument, volume_->sectors());
    case get_logical_block:
      return give<int>(argument, static_cast<int>(limits.logical_block));
    case get_physical_block:
    case get_minimum_io:
      return give<std::uint32_t>(argument, limits.physical_block);
    case get_optimal_io:
      return give<std::uint32_t>(argument, 0);
    case get_alignment_offset:
      return give<int>(argument, 0);
    case get_block_size:
      return give<int>(argument, static_cast<int>(core::page_size));
    case set_block_size: {
      // The cache works in pages whatever is asked for.
      int size = TRY(core::UserIn<int>(argument).read());
      bool possible = size >= static_cast<int>(limits.logical_block) &&
                      size <= static_cast<int>(core::page_size) && (size & (size - 1)) == 0;
      if (!may_administer()) return error(Errno::eacces);
      return possible ? Result<long>(0) : Result<long>(error(Errno::einval));
    }
    case get_rotational:
      return give<std::uint16_t>(argument, limits.rotational);
    case get_read_ahead:
      return give<std::uint64_t>(argument, 512);
    case get_read_only:
      return give<int>(argument, volume_->is_read_only());
    case set_read_only: {
      if (!may_administer()) return error(Errno::eacces);
      int wanted = TRY(core::UserIn<int>(argument).read());
      if (!wanted && limits.read_only) return error(Errno::eacces);
      TRY(volume_->sync());
      disk.set_read_only(wanted != 0);
      return 0;
    }
    case flush_buffers:
      if (!may_administer()) return error(Errno::eacces);
      TRY(volume_->sync());
      TRY(volume_->invalidate_cache());
      return 0;
    case reread_partitions:
      if (!may_administer()) return error(Errno::eacces);
      if (volume_->number()) return error(Errno::einval);
      TRY(volume_->sync());
      TRY(disk.read_partitions());
      return 0;
    case discard_range:
    case zero_range: {
      auto range = TRY((core::UserIn<std::array<std::uint64_t, 2>>(argument).read()));
      TRY(change_range(command == discard_range ? Change::discard : Change::zero, range[0], range[1]));
      return 0;
    }
    default:
      return disk.driver().ioctl(command, argument);
  }
}

class BlockDevices final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber device, const vfs::OpenRequest& request) override {
    auto volume = TRY(find_volume(device));
    bool writes = (request.flags & vfs::open_access_mask) != vfs::open_read_only;
    if (writes && volume->disk().limits().read_only) return error(Errno::eacces);
    // O_EXCL without O_CREAT asks for a device that nobody has mounted.
    if ((request.flags & vfs::open_exclusive) && volume->is_claimed()) return error(Errno::ebusy);
    return RefPtr<vfs::File>(TRY(base::try_make_ref<BlockFile>(std::move(volume))));
  }
  void add_attributes(vfs::DeviceNumber device, vfs::Attributes& out) override {
    if (auto volume = find_volume(device); volume)
      out.direct_memory_alignment = out.direct_offset_alignment = (*volume)->disk().limits().logical_block;
  }
};
constinit BlockDevices the_block_devices;

}  // namespace

vfs::DeviceOperations& block_devices() { return the_block_devices; }

}  // namespace block
