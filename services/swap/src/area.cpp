#include "area.h"

#include "block/file_blocks.h"
#include "core/memory/page_allocator.h"
#include "swap/swap.h"

namespace swap {

using base::Errno;
using base::error;
using core::page_shift;
using core::page_size;

namespace {
constexpr unsigned sectors_per_page_shift = page_shift - block::sector_shift;
}

Result<std::unique_ptr<Area>> Area::create(RefPtr<vfs::File> file, unsigned flags) {
  std::unique_ptr<Area> area(new (std::nothrow) Area);
  if (!area) return error(Errno::enomem);
  area->file_ = std::move(file);
  area->flags_ = flags;
  vfs::Mode kind = area->file_->inode().mode() & vfs::mode_type_mask;
  if (kind == vfs::mode_block)
    TRY(area->use_device());
  else if (kind == vfs::mode_regular)
    TRY(area->use_file());
  else
    return error(Errno::einval);
  TRY(area->read_header());
  return area;
}

Area::~Area() {
  if (marked_) file_->inode().clear_flag(vfs::Inode::swap_file);
  if (claimed_) volume_->release(this);
}

Result<void> Area::use_device() {
  volume_ = TRY(block::find_volume(file_->inode().device()));
  // What mkswap wrote through the file is on the disk before we look.
  TRY(file_->sync(0, ~std::uint64_t{0}, false));
  TRY(volume_->claim(this));
  claimed_ = true;
  area_pages_ = volume_->bytes() >> page_shift;
  if (area_pages_ < 2) return error(Errno::einval);
  return extents_.try_push_back({0, area_pages_, 0});
}

Result<void> Area::use_file() {
  vfs::Inode& inode = file_->inode();
  block::FileMapper* mapper = block::file_mapper_of(inode);
  if (!mapper) return error(Errno::einval);
  TRY(file_->sync(0, ~std::uint64_t{0}, false));
  core::WriteGuard guard{inode.lock()};
  if (inode.has(vfs::Inode::swap_file)) return error(Errno::ebusy);
  inode.set_flag(vfs::Inode::swap_file);
  marked_ = true;
  volume_ = mapper->volume_of(inode);
  area_pages_ = inode.size() >> page_shift;
  TRY(mapper->for_each_run(
      inode, [&](const block::FileRun& run) { return add_run(run.offset, run.sector, run.bytes); }));
  TRY(add_run(~std::uint64_t{0}, 0, 0));  // the last one ends
  if (extents_.empty() || extents_[0].first != 0) return error(Errno::einval);
  return {};
}

// Runs that continue each other in the file and on the disk are one; of it, whole pages of the file count.
Result<void> Area::add_run(std::uint64_t offset, std::uint64_t sector, std::uint64_t bytes) {
  if (run_bytes_ && offset == run_offset_ + run_bytes_ &&
      sector == run_sector_ + (run_bytes_ >> block::sector_shift)) {
    run_bytes_ += bytes;
    return {};
  }
  std::uint64_t first = (run_offset_ + page_size - 1) >> page_shift;
  std::uint64_t end = (run_offset_ + run_bytes_) >> page_shift;
  if (end > area_pages_) end = area_pages_;
  if (run_bytes_ && first < end)
    TRY(extents_.try_push_back(
        {first, end - first, run_sector_ + (((first << page_shift) - run_offset_) >> block::sector_shift)}));
  run_offset_ = offset;
  run_sector_ = sector;
  run_bytes_ = bytes;
  return {};
}

// A file with holes is no swap area. Pages that lie in two places on the disk only count as bad.
Result<void> Area::mark_holes() {
  std::uint64_t at = 0, bad = 0;
  for (const Extent& extent : extents_) {
    for (; at < extent.first && at < header_.pages; ++at, ++bad)
      TRY(header_.bad_pages.try_push_back(static_cast<std::uint32_t>(at)));
    at = extent.first + extent.slots;
  }
  if (at < header_.pages || bad > header_.pages / 2) return error(Errno::einval);
  return {};
}

Result<void> Area::read_header() {
  auto page = TRY(core::allocate_page());
  core::Page* list[] = {page.get()};
  TRY(transfer(block::Operation::read, 0, list));
  header_ = TRY(parse_header(page.data(), area_pages_));
  if (!claimed_ && !header_.bad_pages.empty()) return error(Errno::einval);
  return mark_holes();
}

Result<void> Area::start(int priority) {
  bool all = (flags_ & discard) && !(flags_ & (discard_once | discard_pages));
  bool can = volume_->disk().limits().discard_sectors_max != 0 && (flags_ & discard);
  if (can && (all || (flags_ & discard_once))) discard_slots(1, header_.pages - 1);
  device_ = TRY(core::add_swap_device(*this, {.slots = header_.pages,
                                              .priority = priority,
                                              .discard_freed = can && (all || (flags_ & discard_pages)),
                                              .bad_slots = header_.bad_pages.span()}));
  return {};
}

// ---- Pages ----

const Area::Extent* Area::extent_at(std::uint64_t slot) const {
  std::size_t low = 0, high = extents_.size();
  while (low < high) {
    std::size_t middle = (low + high) / 2;
    if (extents_[middle].first + extents_[middle].slots <= slot)
      low = middle + 1;
    else
      high = middle;
  }
  return low < extents_.size() && extents_[low].first <= slot ? &extents_[low] : nullptr;
}

Result<void> Area::transfer(block::Operation operation, std::uint64_t first,
                            std::span<core::Page* const> pages) {
  constexpr std::size_t at_once = 32;
  block::Segment segments[at_once];
  const block::DiskLimits& limits = volume_->disk().limits();
  std::size_t most = limits.segments_max < at_once ? limits.segments_max : at_once;
  if (most > limits.request_bytes_max / page_size) most = limits.request_bytes_max / page_size;
  while (!pages.empty()) {
    const Extent* extent = extent_at(first);
    if (!extent) return error(Errno::eio);
    std::uint64_t count = extent->first + extent->slots - first;
    if (count > pages.size()) count = pages.size();
    if (count > most) count = most;
    for (std::size_t i = 0; i < count; ++i)
      segments[i] = {.page = pages[i], .offset = 0, .length = static_cast<std::uint32_t>(page_size)};
    std::span<const block::Segment> list{segments, static_cast<std::size_t>(count)};
    std::uint64_t sector = extent->sector + ((first - extent->first) << sectors_per_page_shift);
    TRY(operation == block::Operation::read ? volume_->read(sector, list)
                                            : volume_->write(sector, list, block::Durability::cached));
    first += count;
    pages = pages.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> Area::read_pages(std::uint64_t first, std::span<core::Page* const> pages) {
  return transfer(block::Operation::read, first, pages);
}

Result<void> Area::write_pages(std::uint64_t first, std::span<core::Page* const> pages) {
  return transfer(block::Operation::write, first, pages);
}

void Area::discard_slots(std::uint64_t first, std::uint64_t count) {
  while (count) {
    const Extent* extent = extent_at(first);
    if (!extent) return;
    std::uint64_t part = extent->first + extent->slots - first;
    if (part > count) part = count;
    // A hint: what the device makes of it is its business.
    (void)!volume_->discard(extent->sector + ((first - extent->first) << sectors_per_page_shift),
                            part << sectors_per_page_shift);
    first += part;
    count -= part;
  }
}

}  // namespace swap
