#include "partitions.h"

#include <array>
#include <bit>
#include <cstring>

#include "block/volume.h"
#include "core/log/log.h"
#include "core/memory/page_allocator.h"

namespace block {

namespace {

using core::PageRef;

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (std::endian::native == std::endian::big) return std::byteswap(value);
  return value;
}

// The CRC-32 of zip and GPT, bit by bit: tables are read once.
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t state) {
  for (std::byte byte : bytes) {
    state ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0xedb88320u : 0);
  }
  return state;
}

// Reads the logical block at `block` into the page.
Result<void> read_block(Volume& disk, std::uint64_t block, core::Page& page) {
  std::uint32_t size = disk.disk().limits().logical_block;
  std::uint64_t sector = block * (size >> sector_shift);
  if (size > core::page_size || block >= disk.sectors() / (size >> sector_shift)) return error(Errno::eio);
  Segment segment{&page, 0, size};
  return disk.read(sector, {&segment, 1});
}

// An entry that lies on the disk and is not empty.
bool is_plausible(const Volume& disk, std::uint64_t first, std::uint64_t sectors) {
  return first > 0 && sectors > 0 && first < disk.sectors() && sectors <= disk.sectors() - first;
}

// ---- GPT (UEFI specification, chapter 5) ----

constexpr std::uint64_t gpt_signature = 0x5452415020494645;  // "EFI PART"
constexpr std::uint32_t gpt_entries_max = 1024, gpt_entry_size_max = 4096;

struct GptHeader {
  std::uint64_t first_usable, last_usable, entries_block;
  std::uint32_t entry_count, entry_size, entries_crc;
};

Result<GptHeader> read_gpt_header(Volume& disk, std::uint64_t block, core::Page& page) {
  TRY(read_block(disk, block, page));
  std::byte* bytes = core::data_of<std::byte>(page);
  std::uint32_t header_size = load<std::uint32_t>(bytes + 12), stored = load<std::uint32_t>(bytes + 16);
  if (load<std::uint64_t>(bytes) != gpt_signature || header_size < 92 ||
      header_size > disk.disk().limits().logical_block)
    return error(Errno::einval);
  std::memset(bytes + 16, 0, 4);
  if (~crc32({bytes, header_size}, ~0u) != stored) return error(Errno::euclean);
  GptHeader header{load<std::uint64_t>(bytes + 40), load<std::uint64_t>(bytes + 48),
                   load<std::uint64_t>(bytes + 72), load<std::uint32_t>(bytes + 80),
                   load<std::uint32_t>(bytes + 84), load<std::uint32_t>(bytes + 88)};
  std::uint64_t blocks = disk.sectors() / (disk.disk().limits().logical_block >> sector_shift);
  bool sane = load<std::uint64_t>(bytes + 24) == block && header.entry_count <= gpt_entries_max &&
              header.entry_size >= 128 && header.entry_size <= gpt_entry_size_max &&
              base::is_power_of_two(header.entry_size) && header.first_usable <= header.last_usable &&
              header.last_usable < blocks && header.entries_block < blocks;
  return sane ? Result<GptHeader>(header) : error(Errno::euclean);
}

Result<base::String> uuid_text(const std::byte* bytes) {
  // The first three groups are little-endian numbers.
  static constexpr std::array<int, 20> order{3,  2, 1, 0,  -1, 5,  4,  -1, 7,  6,
                                             -1, 8, 9, -1, 10, 11, 12, 13, 14, 15};
  base::String text;
  for (int index : order) {
    if (index < 0) {
      TRY(text.try_push_back('-'));
      continue;
    }
    static constexpr char digits[] = "0123456789abcdef";
    auto value = static_cast<unsigned>(bytes[index]);
    TRY(text.try_push_back(digits[value >> 4]));
    TRY(text.try_push_back(digits[value & 15]));
  }
  return text;
}

Result<base::String> label_text(const std::byte* bytes) {
  base::String text;
  for (unsigned i = 0; i < 36; ++i) {
    auto unit = load<std::uint16_t>(bytes + 2 * i);
    if (!unit) break;
    // UTF-16 to UTF-8; what is not in the first plane becomes "?".
    if (unit < 0x80) {
      TRY(text.try_push_back(static_cast<char>(unit)));
    } else if (unit < 0x800) {
      TRY(text.try_push_back(static_cast<char>(0xc0 | unit >> 6)));
      TRY(text.try_push_back(static_cast<char>(0x80 | (unit & 0x3f))));
    } else {
      TRY(text.try_push_back('?'));
    }
  }
  return text;
}

// The entries that lie in the block that is in the page.
Result<void> take_gpt_entries(Volume& disk, const GptHeader& header, const std::byte* bytes,
                              std::uint32_t size, unsigned first_number,
                              base::Vector<PartitionEntry>& entries) {
  std::uint32_t scale = disk.disk().limits().logical_block >> sector_shift;
  for (std::uint32_t at = 0; at + header.entry_size <= size; at += header.entry_size) {
    unsigned number = first_number + at / header.entry_size;
    if (number > header.entry_count || number > max_partitions) break;
    static constexpr std::byte unused[16] = {};
    const std::byte* entry = bytes + at;
    if (std::memcmp(entry, unused, 16) == 0) continue;
    std::uint64_t first = load<std::uint64_t>(entry + 32), last = load<std::uint64_t>(entry + 40);
    if (first < header.first_usable || last > header.last_usable || last < first) {
      core::log(core::LogLevel::warning, "{}: partition {} lies outside of the usable area, left out",
                disk.name(), number);
      continue;
    }
    if (!is_plausible(disk, first * scale, (last - first + 1) * scale)) continue;
    TRY(entries.try_push_back({number, first * scale, (last - first + 1) * scale, TRY(uuid_text(entry + 16)),
                               TRY(label_text(entry + 56))}));
  }
  return {};
}

Result<void> read_gpt(Volume& disk, std::uint64_t header_block, base::Vector<PartitionEntry>& entries) {
  PageRef page = TRY(core::allocate_page());
  GptHeader header = TRY(read_gpt_header(disk, header_block, *page));
  std::uint32_t block_size = disk.disk().limits().logical_block;
  std::uint64_t left = std::uint64_t{header.entry_count} * header.entry_size;
  std::uint32_t crc = ~0u;
  unsigned number = 1;
  base::Vector<PartitionEntry> found;
  if (header.entry_size > block_size) return error(Errno::euclean);
  for (std::uint64_t block = header.entries_block; left; ++block) {
    TRY(read_block(disk, block, *page));
    auto size = static_cast<std::uint32_t>(left < block_size ? left : block_size);
    crc = crc32({page.data(), size}, crc);
    TRY(take_gpt_entries(disk, header, page.data(), size, number, found));
    number += size / header.entry_size;
    left -= size;
  }
  if (~crc != header.entries_crc) return error(Errno::euclean);
  entries = std::move(found);
  return {};
}

// ---- MBR ----

constexpr unsigned mbr_entries = 446, mbr_signature = 510;
bool is_extended(std::uint8_t type) { return type == 0x05 || type == 0x0f || type == 0x85; }

struct MbrEntry {
  std::uint8_t status, type;
  std::uint32_t first, sectors;
};
MbrEntry mbr_entry(const std::byte* sector, unsigned index) {
  const std::byte* entry = sector + mbr_entries + 16 * index;
  return {static_cast<std::uint8_t>(entry[0]), static_cast<std::uint8_t>(entry[4]),
          load<std::uint32_t>(entry + 8), load<std::uint32_t>(entry + 12)};
}

// A chain of sectors inside the extended partition, each with one partition and the way to the next.
Result<void> read_extended(Volume& disk, const MbrEntry& extended, unsigned scale,
                           base::Vector<PartitionEntry>& entries) {
  PageRef page = TRY(core::allocate_page());
  std::uint64_t at = extended.first;
  for (unsigned number = 5; number <= max_partitions; ++number) {
    TRY(read_block(disk, at, *page));
    if (load<std::uint16_t>(page.data() + mbr_signature) != 0xaa55) break;
    MbrEntry data = mbr_entry(page.data(), 0), next = mbr_entry(page.data(), 1);
    std::uint64_t first = at + data.first, end = std::uint64_t{extended.first} + extended.sectors;
    if (data.type && data.sectors && first + data.sectors <= end &&
        is_plausible(disk, first * scale, std::uint64_t{data.sectors} * scale))
      TRY(entries.try_push_back({number, first * scale, std::uint64_t{data.sectors} * scale, {}, {}}));
    if (!is_extended(next.type) || !next.first) break;
    std::uint64_t following = std::uint64_t{extended.first} + next.first;
    if (following <= at || following >= end) break;  // a chain only leads forward: it ends
    at = following;
  }
  return {};
}

Result<void> read_mbr(Volume& disk, const std::byte* sector, base::Vector<PartitionEntry>& entries) {
  unsigned scale = disk.disk().limits().logical_block >> sector_shift;
  // A file system may begin with what looks like the signature: the status bytes tell.
  for (unsigned i = 0; i < 4; ++i)
    if (mbr_entry(sector, i).status & 0x7f) return {};
  for (unsigned i = 0; i < 4; ++i) {
    MbrEntry entry = mbr_entry(sector, i);
    if (!entry.type ||
        !is_plausible(disk, std::uint64_t{entry.first} * scale, std::uint64_t{entry.sectors} * scale))
      continue;
    // The extended partition itself is shown with its first blocks only: a boot loader may live there.
    std::uint64_t shown = is_extended(entry.type) ? (entry.sectors < 2 ? entry.sectors : 2) : entry.sectors;
    TRY(entries.try_push_back({i + 1, std::uint64_t{entry.first} * scale, shown * scale, {}, {}}));
  }
  for (unsigned i = 0; i < 4; ++i) {
    MbrEntry entry = mbr_entry(sector, i);
    if (!is_extended(entry.type) ||
        !is_plausible(disk, std::uint64_t{entry.first} * scale, std::uint64_t{entry.sectors} * scale))
      continue;
    TRY(read_extended(disk, entry, scale, entries));
    break;
  }
  return {};
}

}  // namespace

Result<void> scan_partitions(Volume& disk, base::Vector<PartitionEntry>& entries) {
  PageRef page = TRY(core::allocate_page());
  if (auto read = read_block(disk, 0, *page); !read) {
    if (disk.sectors() == 0) return {};
    return read;
  }
  const std::byte* sector = page.data();
  if (load<std::uint16_t>(sector + mbr_signature) != 0xaa55) return {};
  bool protective = false;
  for (unsigned i = 0; i < 4; ++i) protective |= mbr_entry(sector, i).type == 0xee;
  if (!protective) return read_mbr(disk, sector, entries);
  auto primary = read_gpt(disk, 1, entries);
  if (primary) return {};
  core::log(core::LogLevel::warning, "{}: the primary GPT is damaged, trying the backup", disk.name());
  std::uint64_t blocks = disk.sectors() / (disk.disk().limits().logical_block >> sector_shift);
  auto backup = blocks ? read_gpt(disk, blocks - 1, entries) : error(Errno::einval);
  if (!backup)
    core::log(core::LogLevel::warning, "{}: the backup GPT is damaged too, no partitions", disk.name());
  return backup;
}

}  // namespace block
