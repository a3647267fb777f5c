// A disk as a whole or one of its partitions: what is mounted, and what a block special file opens.
//
//   auto volume = TRY(find_volume({254, 1}));               // vda1
//   TRY(volume->read(sector, segments));                    // waits
//   TRY(volume->write(sector, segments, Durability::stable));
//   TRY(volume->flush());
//   bio.…; volume->submit(bio, &batch);                     // does not wait; sectors of the volume
//
// Bounds are checked here: nothing below can leave its partition. Locking: none needed by callers.
//
// A volume is either open as files (any number) or claimed exclusively (mounted); claim() says EBUSY for a
// second claim. The page cache of the block special file is separate from what a file system keeps: it is
// dropped when a claim begins and ends, so that tools see what is on the disk after unmount or sync.
#pragma once

#include "block/disk.h"
#include "page_cache/page_cache.h"

namespace block {

enum class Durability : std::uint8_t { cached, stable };

class Volume final : public page_cache::PageStore {
 public:
  static Result<std::unique_ptr<Volume>> create(Disk& disk, unsigned number, std::uint64_t start,
                                                std::uint64_t sectors);
  ~Volume();

  // A volume lives as long as its disk: a RefPtr<Volume> is a reference on that.
  void acquire_reference() const { disk_.acquire_reference(); }
  void release_reference() const { disk_.release_reference(); }

  std::string_view name() const { return name_; }  // "vda1"
  Disk& disk() const { return disk_; }
  unsigned number() const { return number_; }  // 0: the whole disk
  std::uint64_t start() const { return start_; }
  std::uint64_t sectors() const;
  std::uint64_t bytes() const { return sectors() << sector_shift; }
  vfs::DeviceNumber device() const { return device_; }
  bool is_read_only() const { return disk_.is_read_only(); }
  // GPT: the partition's own identity, as text; empty otherwise.
  std::string_view partition_uuid() const { return partition_uuid_; }
  std::string_view partition_label() const { return partition_label_; }
  Result<void> set_identity(std::string_view uuid, std::string_view label);

  void submit(Bio& bio, Batch* batch = nullptr);
  // Each waits for the end and gives the error.
  Result<void> read(std::uint64_t sector, std::span<const Segment> segments);
  Result<void> write(std::uint64_t sector, std::span<const Segment> segments, Durability durability);
  Result<void> flush();
  Result<void> discard(std::uint64_t sector, std::uint64_t sectors);
  Result<void> write_zeroes(std::uint64_t sector, std::uint64_t sectors);

  // Exclusive use (a mounted file system, the backing of a loop device).
  Result<void> claim(const void* holder);
  void release(const void* holder);
  bool is_claimed() const { return holder_.load(std::memory_order_acquire) != nullptr; }
  // Files, and those of them that are being closed and may still write.
  std::atomic<std::uint32_t> open_count{0}, closing_count{0};

  // Of the block special file.
  page_cache::PageCache& cache() const { return *cache_; }
  Result<void> sync();              // dirty pages, then a flush
  Result<void> invalidate_cache();  // after sync: what was cached is forgotten

  Statistics statistics;

  // ---- page_cache::PageStore ----
  bool is_memory() const override { return false; }
  Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<void> write_pages(std::uint64_t first, std::span<core::Page* const> pages) override;

 private:
  friend class Disk;
  friend class HardwareQueue;
  Volume(Disk& disk, unsigned number, std::uint64_t start, std::uint64_t sectors);
  Result<void> transfer(Operation operation, std::uint64_t first, std::span<core::Page* const> pages);
  Result<void> perform(Bio& bio);

  Disk& disk_;
  unsigned number_;
  std::uint64_t start_, sectors_;
  vfs::DeviceNumber device_;
  base::String name_, partition_uuid_, partition_label_;
  std::atomic<const void*> holder_{nullptr};
  RefPtr<page_cache::PageCache> cache_;
};

// ENXIO: there is no such device.
Result<RefPtr<Volume>> find_volume(vfs::DeviceNumber device);
// "vda1", "/dev/vda1", "254:1", "PARTUUID=…", "PARTLABEL=…". ENODEV.
Result<RefPtr<Volume>> find_volume(std::string_view name);
void for_each_volume(base::FunctionRef<void(Volume&)> visit);
core::Mutex& volumes_mutex();

}  // namespace block
