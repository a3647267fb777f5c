// Reading numbers from text of unknown origin: /proc writes, the command line, archives.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace base {

// Digits in `number_base` (2..16) and nothing else; nothing on an empty text, a stray character or overflow.
constexpr std::optional<std::uint64_t> parse_unsigned(std::string_view text, unsigned number_base = 10) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                     : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                            : 99;
    if (digit >= number_base) return std::nullopt;
    if (__builtin_mul_overflow(value, static_cast<std::uint64_t>(number_base), &value) ||
        __builtin_add_overflow(value, static_cast<std::uint64_t>(digit), &value))
      return std::nullopt;
  }
  return value;
}

// As Linux spells numbers: 0x for hexadecimal, a leading 0 for octal, else decimal.
constexpr std::optional<std::uint64_t> parse_c_number(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) return parse_unsigned(text.substr(2), 16);
  if (text.size() > 1 && text.starts_with("0")) return parse_unsigned(text.substr(1), 8);
  return parse_unsigned(text, 10);
}

// A size with an optional K, M, G or T (binary), as in mem=512M.
constexpr std::optional<std::uint64_t> parse_size(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back() | 0x20) {
      case 'k':
        shift = 10;
        break;
      case 'm':
        shift = 20;
        break;
      case 'g':
        shift = 30;
        break;
      case 't':
        shift = 40;
        break;
      default:
        break;
    }
  }
  if (shift) text.remove_suffix(1);
  auto value = parse_c_number(text);
  if (!value || *value > (~std::uint64_t{0} >> shift)) return std::nullopt;
  return *value << shift;
}

}  // namespace base
