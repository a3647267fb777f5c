#include "names.h"

#include <cstring>

namespace vfat {

namespace {

// The upper half of code page 437.
constexpr std::uint16_t code_page_437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee,
    0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6,
    0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa,
    0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514,
    0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c,
    0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
    0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320,
    0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0};

// Small letters of the upper half that have capitals in it.
constexpr std::uint8_t capitals_437[][2] = {{0x81, 0x9a}, {0x82, 0x90}, {0x84, 0x8e}, {0x86, 0x8f},
                                            {0x87, 0x80}, {0x91, 0x92}, {0x94, 0x99}, {0xa4, 0xa5}};

std::uint8_t upper_437(std::uint8_t c) {
  if (c >= 'a' && c <= 'z') return static_cast<std::uint8_t>(c - 32);
  for (auto& pair : capitals_437)
    if (pair[0] == c) return pair[1];
  return c;
}
std::uint8_t lower_437(std::uint8_t c) {
  if (c >= 'A' && c <= 'Z') return static_cast<std::uint8_t>(c + 32);
  for (auto& pair : capitals_437)
    if (pair[1] == c) return pair[0];
  return c;
}
std::uint32_t from_437(std::uint8_t c) { return c < 0x80 ? c : code_page_437[c - 0x80]; }
// 0: not in the code page.
std::uint8_t to_437(std::uint16_t unit) {
  if (unit < 0x80) return static_cast<std::uint8_t>(unit);
  for (unsigned i = 0; i < 128; ++i)
    if (code_page_437[i] == unit) return static_cast<std::uint8_t>(0x80 + i);
  return 0;
}

bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

// The next code point, or nothing for bytes that are no UTF-8.
bool take_code_point(std::string_view& text, std::uint32_t& code_point) {
  auto first = static_cast<std::uint8_t>(text[0]);
  unsigned more = first < 0x80                    ? 0
                  : first >= 0xc2 && first < 0xe0 ? 1
                  : first >= 0xe0 && first < 0xf0 ? 2
                                                  : 3;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() <= more) return false;
  code_point = more == 0 ? first : first & (0x3fu >> more);
  for (unsigned i = 1; i <= more; ++i) {
    auto next = static_cast<std::uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return false;
    code_point = code_point << 6 | (next & 0x3f);
  }
  if ((more == 2 && code_point < 0x800) || (more == 3 && (code_point < 0x10000 || code_point > 0x10ffff)))
    return false;
  if (code_point >= 0xd800 && code_point < 0xe000) return false;
  text.remove_prefix(more + 1);
  return true;
}

bool may_be_in_long_name(std::uint32_t c) {
  return c >= 0x20 &&
         (c >= 0x80 || std::string_view("*?<>|\":/\\").find(static_cast<char>(c)) == std::string_view::npos);
}

}  // namespace

void NameText::put(std::uint32_t c) {
  auto byte = [&](std::uint32_t value) {
    if (length < sizeof(bytes)) bytes[length++] = static_cast<char>(value);
  };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | c >> 6);
    byte(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    byte(0xe0 | c >> 12);
    byte(0x80 | (c >> 6 & 0x3f));
    byte(0x80 | (c & 0x3f));
  } else {
    byte(0xf0 | c >> 18);
    byte(0x80 | (c >> 12 & 0x3f));
    byte(0x80 | (c >> 6 & 0x3f));
    byte(0x80 | (c & 0x3f));
  }
}

Result<void> widen(std::string_view name, WideName& out) {
  while (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return error(Errno::enoent);
  out.length = 0;
  while (!name.empty()) {
    std::uint32_t c;
    if (!take_code_point(name, c) || !may_be_in_long_name(c)) return error(Errno::einval);
    unsigned needed = c >= 0x10000 ? 2 : 1;
    if (out.length + needed > long_name_max) return error(Errno::enametoolong);
    if (needed == 2) {
      out.units[out.length++] = static_cast<std::uint16_t>(0xd800 + ((c - 0x10000) >> 10));
      out.units[out.length++] = static_cast<std::uint16_t>(0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      out.units[out.length++] = static_cast<std::uint16_t>(c);
    }
  }
  return {};
}

void narrow(std::span<const std::uint16_t> units, NameText& out) {
  out.length = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    std::uint32_t c = units[i];
    if (is_high_surrogate(c) && i + 1 < units.size() && is_low_surrogate(units[i + 1]))
      c = 0x10000 + ((c & 0x3ff) << 10) + (units[++i] & 0x3ff);
    else if (is_high_surrogate(c) || is_low_surrogate(c))
      c = 0xfffd;
    // What would end a name early, or make two of it, on a damaged disk.
    if (c == 0 || c == '/') c = '?';
    out.put(c);
  }
}

void show_short(const ShortEntry& entry, ShortNameStyle style, NameText& out) {
  out.length = 0;
  auto put_part = [&](unsigned from, unsigned to, std::uint8_t lower_bit) {
    while (to > from && entry.name[to - 1] == ' ') --to;
    bool lowers =
        style == ShortNameStyle::lower ||
        ((style == ShortNameStyle::winnt || style == ShortNameStyle::mixed) && (entry.lower & lower_bit));
    for (unsigned i = from; i < to; ++i) {
      std::uint8_t c = entry.name[i];
      if (i == 0 && c == entry_really_e5) c = 0xe5;
      if (lowers) c = lower_437(c);
      out.put(c == 0 || c == '/' ? '?' : from_437(c));
    }
    return to > from;
  };
  put_part(0, 8, lower_base);
  unsigned base = out.length;
  out.put('.');
  if (!put_part(8, 11, lower_extension)) out.length = base;
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

std::uint8_t short_checksum(const std::uint8_t* name) {
  unsigned sum = 0;
  for (unsigned i = 0; i < 11; ++i) sum = ((sum & 1) << 7 | (sum & 0xff) >> 1) + name[i];
  return static_cast<std::uint8_t>(sum);
}

// ---- Short forms ----

namespace {
// One of the two parts of a short name, while it is made.
struct Part {
  bool has_lower = false, has_upper = false;
  bool is_exact = true;

  // The byte for a character, or 0 for one that is left out.
  std::uint8_t convert(std::uint16_t unit) {
    if (unit == ' ' || unit == '.') {
      is_exact = false;
      return 0;
    }
    if (unit < 0x80 && std::string_view("[];,+=").find(static_cast<char>(unit)) != std::string_view::npos) {
      is_exact = false;
      return '_';
    }
    std::uint8_t c = to_437(unit);
    if (c == 0) {
      is_exact = false;
      return is_low_surrogate(unit) ? 0 : '_';
    }
    std::uint8_t upper = upper_437(c);
    if (upper != c)
      has_lower = true;
    else if (lower_437(c) != c)
      has_upper = true;
    return upper;
  }
};
}  // namespace

ShortForm shorten(const WideName& name, ShortNameStyle style) {
  ShortForm form;
  std::memset(form.name, ' ', sizeof(form.name));
  // The extension is what follows the last dot that has something in front of it and behind it.
  unsigned dot = name.length;
  for (unsigned i = name.length; i-- > 0;)
    if (name.units[i] == '.') {
      dot = i;
      break;
    }
  unsigned leading = 0;
  while (leading < dot && (name.units[leading] == '.' || name.units[leading] == ' ')) ++leading;
  if (leading == dot) dot = name.length;  // ".name": no extension
  Part base, extension;
  unsigned at = 0;
  for (unsigned i = 0; i < dot; ++i) {
    std::uint8_t c = base.convert(name.units[i]);
    if (c == 0) continue;
    if (at == 8) {
      base.is_exact = false;
      break;
    }
    form.name[at++] = c;
  }
  form.base_length = at;
  if (at == 0) {
    base.is_exact = false;
    form.name[0] = '_';
    form.base_length = 1;
  }
  at = 8;
  for (unsigned i = dot + 1; i < name.length; ++i) {
    std::uint8_t c = extension.convert(name.units[i]);
    if (c == 0) continue;
    if (at == 11) {
      extension.is_exact = false;
      break;
    }
    form.name[at++] = c;
  }
  if (form.name[0] == entry_deleted) form.name[0] = entry_really_e5;
  form.is_exact = base.is_exact && extension.is_exact;
  if (!form.is_exact) return form;
  if (style == ShortNameStyle::winnt) {
    if ((base.has_lower && base.has_upper) || (extension.has_lower && extension.has_upper)) return form;
    if (base.has_lower) form.lower |= lower_base;
    if (extension.has_lower) form.lower |= lower_extension;
    form.needs_long = false;
  } else {
    form.needs_long = base.has_lower || extension.has_lower;
  }
  return form;
}

void put_tail(ShortForm& form, std::uint32_t number, bool hexadecimal) {
  constexpr char digits[] = "0123456789ABCDEF";
  if (!hexadecimal) {
    unsigned keep = form.base_length < 6 ? form.base_length : 6;
    form.name[keep] = '~';
    form.name[keep + 1] = static_cast<std::uint8_t>('0' + number % 10);
    for (unsigned i = keep + 2; i < 8; ++i) form.name[i] = ' ';
    return;
  }
  // "LO1A2F~1": four random digits.
  unsigned keep = form.base_length < 2 ? form.base_length : 2;
  for (unsigned i = 0; i < 4; ++i)
    form.name[keep + i] = static_cast<std::uint8_t>(digits[number >> (12 - 4 * i) & 15]);
  form.name[keep + 4] = '~';
  form.name[keep + 5] = static_cast<std::uint8_t>('1' + (number >> 16) % 9);
  for (unsigned i = keep + 6; i < 8; ++i) form.name[i] = ' ';
}

}  // namespace vfat
