#include "block/ram_disk.h"

#include <cstring>

#include "core/memory/page_allocator.h"

namespace block {

using core::page_shift;
using core::page_size;

Result<RefPtr<Disk>> RamDisk::create(std::string_view name, vfs::DeviceNumber first, unsigned minors,
                                     std::uint64_t bytes) {
  auto* driver = new (std::nothrow) RamDisk;
  if (!driver) return error(Errno::enomem);
  DiskDescription description;
  description.name = name;
  description.major = first.major;
  description.first_minor = first.minor;
  description.minors = minors;
  description.sectors = bytes >> sector_shift;
  description.limits.discard_sectors_max = description.limits.write_zeroes_sectors_max = std::uint64_t{1}
                                                                                         << 22;
  description.limits.physical_block = page_size;
  auto disk = Disk::create(description, *driver);
  if (!disk) {
    delete driver;
    return disk;
  }
  TRY((*disk)->announce());
  return disk;
}

RamDisk::~RamDisk() { drop(0, ~std::uint64_t{0} >> 1, false); }

QueueResult RamDisk::queue(Request& request) {
  request.complete(perform(request));
  return QueueResult::taken;
}

Errno RamDisk::perform(Request& request) {
  switch (request.operation()) {
    case Operation::flush:
      return Errno{0};
    case Operation::discard:
    case Operation::write_zeroes:
      drop(request.sector(), request.length(), true);
      return Errno{0};
    default: {
      auto result = copy(request);
      return result ? Errno{0} : result.error();
    }
  }
}

Result<void> RamDisk::copy(Request& request) {
  std::uint64_t at = request.sector() << sector_shift;
  bool writes = request.operation() == Operation::write;
  Result<void> result;
  core::MutexGuard guard{mutex_};
  request.for_each_segment([&](const Segment& segment) {
    for (std::uint32_t done = 0; result && done < segment.length;) {
      std::size_t within = at & (page_size - 1), count = page_size - within;
      if (count > segment.length - done) count = segment.length - done;
      core::Page* page = pages_.find(at >> page_shift);
      if (!page && writes) {
        auto fresh = core::allocate_page(core::AllocationFlags::zero);
        if (fresh) result = pages_.insert(at >> page_shift, **fresh);
        if (!fresh || !result) {
          result = error(Errno::enospc);
          return;
        }
        page = fresh->leak();
        ++page_count_;
      }
      std::byte* mine = page ? core::data_of<std::byte>(*page) + within : nullptr;
      if (writes)
        std::memcpy(mine, segment.data() + done, count);
      else if (mine)
        std::memcpy(segment.data() + done, mine, count);
      else
        std::memset(segment.data() + done, 0, count);
      done += static_cast<std::uint32_t>(count);
      at += count;
    }
  });
  return result;
}

void RamDisk::drop(std::uint64_t sector, std::uint64_t length, bool zero_parts) {
  std::uint64_t from = sector << sector_shift, end = from + length;
  core::MutexGuard guard{mutex_};
  std::uint64_t last = (end - 1) >> page_shift;
  for (std::uint64_t index = from >> page_shift; index <= last; ++index) {
    core::Page* page = pages_.find_next(index, last);
    if (!page) return;
    std::uint64_t start = index << page_shift;
    std::uint64_t low = from > start ? from - start : 0,
                  high = end - start < page_size ? end - start : page_size;
    if (low == 0 && high == page_size) {
      pages_.remove(index);
      --page_count_;
      core::release_page(*page);
    } else if (zero_parts) {
      std::memset(core::data_of<std::byte>(*page) + low, 0, high - low);
    }
  }
}

}  // namespace block
