// Directory records, and what Rock Ridge adds to them.
//
// A record is a few bytes of any content: every length in it is checked against the record before it is used.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/string.h"
#include "base/vector.h"
#include "vfs/types.h"

namespace iso9660 {

using base::Errno;
using base::error;
using base::Result;

inline constexpr std::uint32_t sector_bytes = 2048;

inline std::uint16_t number16(std::span<const std::byte> bytes, std::size_t at) {
  std::uint16_t value = 0;
  if (at + 2 <= bytes.size()) std::memcpy(&value, bytes.data() + at, 2);
  return value;
}
inline std::uint32_t number32(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  if (at + 4 <= bytes.size()) std::memcpy(&value, bytes.data() + at, 4);
  return value;
}
inline std::uint8_t number8(std::span<const std::byte> bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : 0;
}

inline constexpr std::uint8_t flag_hidden = 1, flag_directory = 2, flag_associated = 4,
                              flag_more_extents = 0x80;
inline constexpr std::size_t record_head = 33;

struct Record {
  std::byte bytes[256];
  std::uint8_t length = 0;

  std::span<const std::byte> view() const { return {bytes, length}; }
  std::uint32_t extent() const { return number32(view(), 2) + number8(view(), 1); }
  std::uint32_t size() const { return number32(view(), 10); }
  std::span<const std::byte> time() const { return view().subspan(18, 7); }
  std::uint8_t flags() const { return number8(view(), 25); }
  bool is_directory() const { return flags() & flag_directory; }
  bool is_interleaved() const { return number8(view(), 26) || number8(view(), 27); }
  std::uint8_t name_length() const { return number8(view(), 32); }
  std::span<const std::byte> name() const { return view().subspan(record_head, name_length()); }
  bool is_dot() const { return name_length() == 1 && number8(view(), record_head) == 0; }
  bool is_dot_dot() const { return name_length() == 1 && number8(view(), record_head) == 1; }
  std::span<const std::byte> system_use() const {
    std::size_t from = record_head + name_length() + (name_length() % 2 ? 0u : 1u);
    return from < length ? view().subspan(from) : std::span<const std::byte>{};
  }
  bool is_whole() const { return length > record_head && record_head + name_length() <= length; }
};

// What the system use fields of a record say.
struct RockRidge {
  bool has_mode = false, has_name = false, is_relocated = false, is_compressed = false;
  vfs::Mode mode = 0;
  std::uint32_t links = 1, uid = 0, gid = 0;
  vfs::DeviceNumber device;
  std::uint32_t child_link = 0;  // of a directory that is elsewhere
  bool has_modify = false, has_access = false, has_change = false;
  vfs::Timestamp modify, access, change;
  char name[256];
  std::size_t name_length = 0;
  base::String link;  // text of a symbolic link

  std::string_view name_view() const { return {name, name_length}; }
};

vfs::Timestamp short_time(std::span<const std::byte> bytes);
vfs::Timestamp long_time(std::span<const std::byte> bytes);

}  // namespace iso9660
