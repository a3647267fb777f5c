// Names of records: Rock Ridge's as they are, Joliet's from UCS-2, plain ones in small letters.
#include "file_system.h"

namespace iso9660 {

namespace {

std::size_t put_utf8(std::uint32_t c, std::span<char, 256> memory, std::size_t at) {
  char bytes[4];
  std::size_t count;
  if (c < 0x80) {
    bytes[0] = static_cast<char>(c);
    count = 1;
  } else if (c < 0x800) {
    bytes[0] = static_cast<char>(0xc0 | c >> 6);
    bytes[1] = static_cast<char>(0x80 | (c & 0x3f));
    count = 2;
  } else if (c < 0x10000) {
    bytes[0] = static_cast<char>(0xe0 | c >> 12);
    bytes[1] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    bytes[2] = static_cast<char>(0x80 | (c & 0x3f));
    count = 3;
  } else {
    bytes[0] = static_cast<char>(0xf0 | c >> 18);
    bytes[1] = static_cast<char>(0x80 | (c >> 12 & 0x3f));
    bytes[2] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    bytes[3] = static_cast<char>(0x80 | (c & 0x3f));
    count = 4;
  }
  if (at + count > vfs::name_max) return at;
  std::memcpy(memory.data() + at, bytes, count);
  return at + count;
}

std::string_view joliet_name(std::span<const std::byte> raw, std::span<char, 256> memory) {
  std::size_t length = 0;
  auto unit = [&](std::size_t at) {
    return static_cast<std::uint32_t>(number8(raw, at) << 8 | number8(raw, at + 1));
  };
  for (std::size_t at = 0; at + 1 < raw.size(); at += 2) {
    std::uint32_t c = unit(at);
    if (c >= 0xd800 && c < 0xdc00 && at + 3 < raw.size() && (unit(at + 2) & 0xfc00) == 0xdc00) {
      c = 0x10000 + ((c & 0x3ff) << 10) + (unit(at + 2) & 0x3ff);
      at += 2;
    } else if ((c & 0xf800) == 0xd800) {
      c = 0xfffd;
    }
    if (c == 0 || c == '/') c = '_';
    length = put_utf8(c, memory, length);
  }
  std::string_view name{memory.data(), length};
  if (name.ends_with(";1")) name.remove_suffix(2);
  // A dot at the end is a name without extension.
  if (name.ends_with('.') && name.size() > 1) name.remove_suffix(1);
  return name;
}

std::string_view plain_name(std::span<const std::byte> raw, bool map, std::span<char, 256> memory) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < raw.size() && length < vfs::name_max; ++i) {
    char c = static_cast<char>(raw[i]);
    if (map) {
      if (c == 0) break;
      std::string_view rest{reinterpret_cast<const char*>(raw.data()) + i,
                            raw.size() - i};  // SAFETY: bytes as text
      if (rest == ".;1" || rest == ";1") break;
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      if (c == ';') c = '.';
    }
    if (c == '/' || c == 0) c = '.';
    memory[length++] = c;
  }
  return {memory.data(), length};
}

}  // namespace

std::string_view IsoFileSystem::name_of(const Record& record, const RockRidge& rock_ridge,
                                        std::span<char, 256> memory) const {
  if (rock_ridge.has_name) {
    std::string_view name = rock_ridge.name_view();
    return name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos ? name
                                                                                    : std::string_view{};
  }
  if (is_joliet_) return joliet_name(record.name(), memory);
  return plain_name(record.name(), options_.map_names, memory);
}

}  // namespace iso9660
