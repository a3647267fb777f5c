// One swap area while it is in use.
#pragma once

#include "base/intrusive_list.h"
#include "base/vector.h"
#include "block/volume.h"
#include "core/memory/swap.h"
#include "header.h"
#include "vfs/file.h"

namespace swap {

using base::RefPtr;

class Area final : public core::SwapStorage {
 public:
  static Result<std::unique_ptr<Area>> create(RefPtr<vfs::File> file, unsigned flags);
  ~Area();

  // Begins and ends its use.
  Result<void> start(int priority);
  Result<void> stop() { return core::remove_swap_device(device_); }

  const vfs::Inode& inode() const { return file_->inode(); }
  vfs::File& file() { return *file_; }
  bool is_partition() const { return claimed_; }
  core::SwapDeviceState state() const { return core::swap_device_state(device_); }

  Result<void> read_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  Result<void> write_pages(std::uint64_t first, std::span<core::Page* const> pages) override;
  void discard_slots(std::uint64_t first, std::uint64_t count) override;

  base::ListHook hook;

 private:
  friend Result<std::unique_ptr<Area>> base::try_make_unique<Area>();
  // Consecutive slots that lie side by side on the disk, in order.
  struct Extent {
    std::uint64_t first, slots, sector;
  };

  Area() = default;
  Result<void> use_device();
  Result<void> use_file();
  Result<void> add_run(std::uint64_t offset, std::uint64_t sector, std::uint64_t bytes);
  Result<void> mark_holes();
  Result<void> read_header();
  const Extent* extent_at(std::uint64_t slot) const;
  Result<void> transfer(block::Operation operation, std::uint64_t first, std::span<core::Page* const> pages);

  RefPtr<vfs::File> file_;
  RefPtr<block::Volume> volume_;
  bool claimed_ = false, marked_ = false;  // the volume is ours, the inode is a swap_file
  unsigned flags_ = 0, device_ = 0;
  std::uint64_t area_pages_ = 0;
  Header header_;
  base::Vector<Extent> extents_;
  // Of a file, while its runs are read: where the last one ended.
  std::uint64_t run_offset_ = 0, run_sector_ = 0, run_bytes_ = 0;
};

}  // namespace swap
