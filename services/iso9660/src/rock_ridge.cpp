// System use fields (SUSP, IEEE P1281) and those of Rock Ridge (RRIP, IEEE P1282).
#include <algorithm>

#include "core/memory/slab.h"
#include "file_system.h"

namespace iso9660 {

namespace {

constexpr std::int64_t day_seconds = 86400;

// Days from 1970 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  std::int64_t era = year / 400;
  auto year_of_era = static_cast<unsigned>(year - era * 400);
  unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 +
         static_cast<std::int64_t>(year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year) -
         719468;
}

vfs::Timestamp time_of(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                       unsigned second, int quarters) {
  vfs::Timestamp result;
  if (month < 1 || month > 12 || day < 1) return result;
  result.seconds = days_of(year, month, day) * day_seconds + hour * 3600 + minute * 60 + second;
  if (quarters >= -48 && quarters <= 52) result.seconds -= quarters * 15 * 60;
  return result;
}

// One pass over the fields of a record, with continuations.
class Fields {
 public:
  Fields(IsoFileSystem& file_system, RockRidge& out) : file_system_(file_system), out_(out) {}

  Result<void> run(std::span<const std::byte> area) {
    base::Vector<std::byte> more;
    for (unsigned jumps = 0;; ++jumps) {
      if (jumps > continuations_max)
        return file_system_.corrupted("continuations of system use fields", jumps);
      next_length_ = 0;
      TRY(run_area(area));
      if (next_length_ == 0) return {};
      if (next_length_ > sector_bytes || next_offset_ > sector_bytes - next_length_)
        return file_system_.corrupted("length of a continuation", next_length_);
      TRY(more.try_resize(next_length_));
      TRY(file_system_.read(std::uint64_t{next_block_} * file_system_.block_bytes() + next_offset_,
                            more.span()));
      area = more.span();
    }
  }

 private:
  static constexpr unsigned continuations_max = 32;

  Result<void> run_area(std::span<const std::byte> area) {
    while (area.size() >= 4) {
      std::size_t length = number8(area, 2);
      if (length < 4 || length > area.size()) return {};  // padding, or another's
      auto field = area.first(length);
      char kind[2] = {static_cast<char>(field[0]), static_cast<char>(field[1])};
      if (std::string_view(kind, 2) == "ST") return {};
      TRY(take({kind, 2}, field));
      area = area.subspan(length);
    }
    return {};
  }

  Result<void> take(std::string_view kind, std::span<const std::byte> field) {
    if (kind == "CE" && field.size() >= 28) {
      next_block_ = number32(field, 4);
      next_offset_ = number32(field, 12);
      next_length_ = number32(field, 20);
    } else if (kind == "PX" && field.size() >= 36) {
      out_.has_mode = true;
      out_.mode = number32(field, 4);
      out_.links = number32(field, 12);
      out_.uid = number32(field, 20);
      out_.gid = number32(field, 28);
    } else if (kind == "PN" && field.size() >= 20) {
      std::uint32_t high = number32(field, 4), low = number32(field, 12);
      // Two ways are in use: both halves, or all in the low one.
      out_.device = (low & ~0xffu) && high == 0 ? vfs::DeviceNumber{low >> 8, low & 0xff}
                                                : vfs::DeviceNumber{high, low};
    } else if (kind == "NM" && field.size() >= 5) {
      take_name(field);
    } else if (kind == "SL" && field.size() >= 5) {
      TRY(take_link(field.subspan(5)));
    } else if (kind == "TF" && field.size() >= 5) {
      take_times(field);
    } else if (kind == "CL" && field.size() >= 12) {
      out_.child_link = number32(field, 4);
    } else if (kind == "RE") {
      out_.is_relocated = true;
    } else if (kind == "ZF") {
      out_.is_compressed = true;
    }
    return {};
  }

  void take_name(std::span<const std::byte> field) {
    if (number8(field, 4) & 6) return;  // "." and ".."
    auto text = field.subspan(5);
    std::size_t count = std::min(text.size(), vfs::name_max - out_.name_length);
    std::memcpy(out_.name + out_.name_length, text.data(), count);
    out_.name_length += count;
    out_.has_name = true;
  }

  Result<void> append(std::string_view text) {
    if (out_.link.size() + text.size() >= vfs::path_max)
      return file_system_.corrupted("length of symbolic link", text.size());
    return out_.link.try_append(text);
  }

  Result<void> take_link(std::span<const std::byte> components) {
    constexpr std::uint8_t continues = 1, current = 2, parent = 4, root = 8;
    while (components.size() >= 2) {
      std::uint8_t flags = number8(components, 0);
      std::size_t length = number8(components, 1);
      if (length > components.size() - 2) return file_system_.corrupted("component of symbolic link", length);
      if (needs_slash_) TRY(append("/"));
      needs_slash_ = false;
      if (flags & root) {
        TRY(append("/"));
      } else {
        if (flags & current) TRY(append("."));
        if (flags & parent) TRY(append(".."));
        // SAFETY: bytes as text.
        if (!(flags & (current | parent)))
          TRY(append({reinterpret_cast<const char*>(components.data()) + 2, length}));
        needs_slash_ = !(flags & continues);
      }
      components = components.subspan(2 + length);
    }
    return {};
  }

  void take_times(std::span<const std::byte> field) {
    std::uint8_t flags = number8(field, 4);
    constexpr std::uint8_t is_long = 0x80;
    std::size_t size = flags & is_long ? 17 : 7, at = 5;
    for (unsigned i = 0; i < 7; ++i) {
      if (!(flags & 1u << i)) continue;
      if (at + size > field.size()) return;
      vfs::Timestamp time =
          flags & is_long ? long_time(field.subspan(at, size)) : short_time(field.subspan(at, size));
      at += size;
      if (i == 1) out_.modify = time, out_.has_modify = true;
      if (i == 2) out_.access = time, out_.has_access = true;
      if (i == 3) out_.change = time, out_.has_change = true;
    }
  }

  IsoFileSystem& file_system_;
  RockRidge& out_;
  std::uint32_t next_block_ = 0, next_offset_ = 0, next_length_ = 0;
  bool needs_slash_ = false;
};

}  // namespace

vfs::Timestamp short_time(std::span<const std::byte> bytes) {
  if (bytes.size() < 7) return {};
  return time_of(1900u + number8(bytes, 0), number8(bytes, 1), number8(bytes, 2), number8(bytes, 3),
                 number8(bytes, 4), number8(bytes, 5), static_cast<std::int8_t>(number8(bytes, 6)));
}

vfs::Timestamp long_time(std::span<const std::byte> bytes) {
  if (bytes.size() < 17) return {};
  auto decimal = [&](std::size_t from, std::size_t count) {
    unsigned value = 0;
    for (std::size_t i = from; i < from + count; ++i) {
      unsigned digit = number8(bytes, i) - unsigned{'0'};
      value = value * 10 + (digit < 10 ? digit : 0);
    }
    return value;
  };
  return time_of(decimal(0, 4), decimal(4, 2), decimal(6, 2), decimal(8, 2), decimal(10, 2), decimal(12, 2),
                 static_cast<std::int8_t>(number8(bytes, 16)));
}

Result<void> IsoFileSystem::read_rock_ridge(const Record& record, RockRidge& out) {
  if (!has_rock_ridge_) return {};
  auto area = record.system_use();
  // The field that says so comes first, in the root's first record alone.
  if (area.size() > rock_ridge_skip_ &&
      !(record.is_dot() && number8(area, 0) == 'S' && number8(area, 1) == 'P'))
    area = area.subspan(rock_ridge_skip_);
  return Fields(*this, out).run(area);
}

}  // namespace iso9660
