// Names: UTF-8 outside, UTF-16 in long entries, code page 437 in short ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "format.h"
#include "vfs/types.h"

namespace vfat {

using base::Errno;
using base::error;
using base::Result;

// A name in UTF-16, as long entries have it.
struct WideName {
  std::uint16_t units[long_name_max + long_units];
  unsigned length = 0;
};
// A name in UTF-8.
struct NameText {
  char bytes[long_name_max * 3 + 1];
  unsigned length = 0;
  std::string_view view() const { return {bytes, length}; }
  void copy(const NameText& other) {
    length = other.length;
    std::memcpy(bytes, other.bytes, length);
  }
  void put(std::uint32_t code_point);
};

// Without the dots at its end, which mean nothing here. ENOENT: nothing is left; EINVAL: not UTF-8, or
// characters that cannot be; ENAMETOOLONG.
Result<void> widen(std::string_view name, WideName& out);
void narrow(std::span<const std::uint16_t> units, NameText& out);
// The name of a short entry, as it is shown.
enum class ShortNameStyle : std::uint8_t { lower, win95, winnt, mixed };
void show_short(const ShortEntry& entry, ShortNameStyle style, NameText& out);
// Without regard to the case of ASCII letters.
bool same_name(std::string_view a, std::string_view b);

std::uint8_t short_checksum(const std::uint8_t* name);

// What a name becomes as a short one.
struct ShortForm {
  std::uint8_t name[11];
  std::uint8_t lower = 0;  // lower_base, lower_extension
  bool is_exact = false;   // it says the same, apart from the case of letters
  bool needs_long = true;  // the short entry alone does not show it
  unsigned base_length = 0;
};
ShortForm shorten(const WideName& name, ShortNameStyle style);
// "LONGNA~7TXT": the form with a number in place of its end.
void put_tail(ShortForm& form, std::uint32_t number, bool hexadecimal);

}  // namespace vfat
