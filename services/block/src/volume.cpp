#include "block/volume.h"

#include "base/parse.h"
#include "core/memory/page_allocator.h"
#include "core/sync/completion.h"

namespace block {

using core::page_shift;
using core::page_size;

Volume::Volume(Disk& disk, unsigned number, std::uint64_t start, std::uint64_t sectors)
    : disk_(disk), number_(number), start_(start), sectors_(sectors), device_(disk.number_of(number)) {}

Result<std::unique_ptr<Volume>> Volume::create(Disk& disk, unsigned number, std::uint64_t start,
                                               std::uint64_t sectors) {
  std::unique_ptr<Volume> volume(new (std::nothrow) Volume(disk, number, start, sectors));
  if (!volume) return error(Errno::enomem);
  char memory[64];
  base::TextBuffer name(memory);
  if (number == 0) {
    name.put(disk.name());
  } else {
    // A name that ends in a digit gets a "p" in between: nvme0n1p2, loop0p1.
    bool ends_in_digit = !disk.name().empty() && disk.name().back() >= '0' && disk.name().back() <= '9';
    base::format(name, "{}{}{}", disk.name(), ends_in_digit ? "p" : "", number);
  }
  volume->name_ = TRY(base::String::create(name.view()));
  volume->cache_ = TRY(page_cache::PageCache::create(*volume));
  volume->cache_->set_size(sectors << sector_shift);
  return volume;
}

Volume::~Volume() {
  if (!cache_) return;
  cache_->detach();
}

Result<void> Volume::set_identity(std::string_view uuid, std::string_view label) {
  partition_uuid_ = TRY(base::String::create(uuid));
  partition_label_ = TRY(base::String::create(label));
  return {};
}

std::uint64_t Volume::sectors() const { return number_ ? sectors_ : disk_.sectors(); }

// ---- Work ----

void Volume::submit(Bio& bio, Batch* batch) {
  bio.volume = this;
  if (bio.operation != Operation::flush) {
    std::uint64_t count = bio.length >> sector_shift;
    if (bio.sector > sectors() || count > sectors() - bio.sector) {
      // Disk::submit refuses what lies beyond any disk, and counts it as ours.
      bio.sector = ~std::uint64_t{0} >> 1 & ~std::uint64_t{4095};
      disk_.submit(bio, batch);
      return;
    }
    bio.sector += start_;
  }
  disk_.submit(bio, batch);
}

Result<void> Volume::perform(Bio& bio) {
  core::Completion done;
  bio.owner = &done;
  bio.completed = [](Bio& finished) { static_cast<core::Completion*>(finished.owner)->complete(); };
  submit(bio);
  done.wait();
  if (bio.failed()) return error(bio.status);
  return {};
}

Result<void> Volume::read(std::uint64_t sector, std::span<const Segment> segments) {
  Bio bio;
  bio.sector = sector;
  bio.set_segments(segments);
  return perform(bio);
}
Result<void> Volume::write(std::uint64_t sector, std::span<const Segment> segments, Durability durability) {
  Bio bio;
  bio.operation = Operation::write;
  bio.force_unit_access = durability == Durability::stable;
  bio.sector = sector;
  bio.set_segments(segments);
  return perform(bio);
}
Result<void> Volume::flush() {
  Bio bio;
  bio.operation = Operation::flush;
  return perform(bio);
}
Result<void> Volume::discard(std::uint64_t sector, std::uint64_t sectors) {
  std::uint64_t most = disk_.limits().discard_sectors_max;
  if (!most) return error(Errno::eopnotsupp);
  while (sectors) {
    Bio bio;
    bio.operation = Operation::discard;
    bio.sector = sector;
    std::uint64_t count = sectors < most ? sectors : most;
    bio.length = count << sector_shift;
    TRY(perform(bio));
    sector += count;
    sectors -= count;
  }
  return {};
}

Result<void> Volume::write_zeroes(std::uint64_t sector, std::uint64_t sectors) {
  std::uint64_t most = disk_.limits().write_zeroes_sectors_max;
  core::PageRef zero;
  while (sectors) {
    std::uint64_t count;
    if (most) {
      Bio bio;
      bio.operation = Operation::write_zeroes;
      bio.sector = sector;
      count = sectors < most ? sectors : most;
      bio.length = count << sector_shift;
      TRY(perform(bio));
    } else {
      // The same page of zeroes over and over.
      if (!zero) zero = TRY(core::allocate_page(core::AllocationFlags::zero));
      constexpr unsigned pages = 32;
      Segment segments[pages];
      unsigned limit = disk_.limits().segments_max < pages ? disk_.limits().segments_max : pages;
      unsigned used = 0;
      for (count = 0; used < limit && count < sectors; ++used) {
        std::uint64_t bytes = (sectors - count) << sector_shift;
        auto length = static_cast<std::uint32_t>(bytes < page_size ? bytes : page_size);
        segments[used] = {zero.get(), 0, length};
        count += length >> sector_shift;
      }
      TRY(write(sector, {segments, used}, Durability::cached));
    }
    sector += count;
    sectors -= count;
  }
  return {};
}

// ---- Exclusive use ----

Result<void> Volume::claim(const void* holder) {
  const void* nobody = nullptr;
  if (!holder_.compare_exchange_strong(nobody, holder)) return error(Errno::ebusy);
  // What was written through /dev must be on the disk before the new owner looks at it.
  if (auto result = invalidate_cache(); !result) {
    holder_.store(nullptr);
    return result;
  }
  return {};
}
void Volume::release(const void* holder) {
  const void* expected = holder;
  base::verify(holder_.compare_exchange_strong(expected, nullptr),
               "a volume released by who does not hold it");
  (void)cache_->drop_clean();
  disk_.driver().closed();
}

Result<void> Volume::sync() {
  TRY(cache_->write_back(0, ~std::uint64_t{0}));
  return flush();
}
Result<void> Volume::invalidate_cache() {
  if (!is_read_only() && cache_->has_dirty_pages()) TRY(sync());
  cache_->drop_clean();
  return {};
}

// ---- The page cache's side ----

Result<void> Volume::transfer(Operation operation, std::uint64_t first, std::span<core::Page* const> pages) {
  constexpr unsigned at_once = 32;
  unsigned limit = disk_.limits().segments_max < at_once ? disk_.limits().segments_max : at_once;
  Segment segments[at_once];
  while (!pages.empty()) {
    unsigned used = 0;
    std::uint64_t sector = first << (page_shift - sector_shift),
                  bytes_left = bytes() - (sector << sector_shift);
    if (sector >= sectors()) return error(Errno::eio);
    while (used < limit && used < pages.size() && bytes_left) {
      // The last page of a volume may be cut short.
      auto length = static_cast<std::uint32_t>(bytes_left < page_size ? bytes_left : page_size);
      segments[used] = {pages[used], 0, length};
      bytes_left -= length;
      ++used;
    }
    Bio bio;
    bio.operation = operation;
    bio.sector = sector;
    bio.set_segments({segments, used});
    TRY(perform(bio));
    first += used;
    pages = pages.subspan(used);
  }
  return {};
}

Result<void> Volume::read_pages(std::uint64_t first, std::span<core::Page* const> pages) {
  return transfer(Operation::read, first, pages);
}
Result<void> Volume::write_pages(std::uint64_t first, std::span<core::Page* const> pages) {
  return transfer(Operation::write, first, pages);
}

// ---- Finding ----

namespace {
template <typename Matches>
RefPtr<Volume> find_if(Matches&& matches) {
  RefPtr<Volume> found;
  for_each_volume([&](Volume& volume) {
    if (!found && matches(volume)) found = RefPtr<Volume>(&volume);
  });
  return found;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}
}  // namespace

Result<RefPtr<Volume>> find_volume(vfs::DeviceNumber device) {
  auto found = find_if([&](Volume& volume) { return volume.device() == device; });
  if (!found) return error(Errno::enxio);
  return found;
}

Result<RefPtr<Volume>> find_volume(std::string_view name) {
  RefPtr<Volume> found;
  constexpr std::string_view uuid_prefix = "PARTUUID=", label_prefix = "PARTLABEL=";
  if (name.starts_with(uuid_prefix)) {
    name.remove_prefix(uuid_prefix.size());
    found = find_if([&](Volume& volume) {
      return !volume.partition_uuid().empty() && equal_ignoring_case(volume.partition_uuid(), name);
    });
  } else if (name.starts_with(label_prefix)) {
    name.remove_prefix(label_prefix.size());
    found = find_if([&](Volume& volume) {
      return !volume.partition_label().empty() && volume.partition_label() == name;
    });
  } else {
    if (name.starts_with("/dev/")) name.remove_prefix(5);
    found = find_if([&](Volume& volume) { return volume.name() == name; });
    std::size_t colon = name.find(':');
    if (!found && colon != std::string_view::npos) {
      auto major = base::parse_unsigned(name.substr(0, colon)),
           minor = base::parse_unsigned(name.substr(colon + 1));
      if (major && minor && *major < 4096 && *minor < (1u << 20))
        return find_volume({static_cast<std::uint32_t>(*major), static_cast<std::uint32_t>(*minor)});
    }
  }
  if (!found) return error(Errno::enodev);
  return found;
}

}  // namespace block
