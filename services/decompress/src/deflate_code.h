// Decoding tables of DEFLATE's Huffman codes (RFC 1951, 3.2).
//
// A table is indexed by the next `root` bits of input. Codes longer than that have an entry that points to a
// second table, indexed by the bits that follow. One 32-bit entry says all a decoder needs:
//
//   bits 0-4 bits to drop · 5-8 extra bits (or index width of the second table) · 9-11 kind · 16-31 value
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace decompress {

struct DeflateEntry {
  enum class Kind : std::uint32_t { literal, copy, end, second_table, invalid };
  std::uint32_t word = 0;

  static constexpr DeflateEntry make(Kind kind, unsigned value, unsigned extra) {
    return {value << 16 | static_cast<std::uint32_t>(kind) << 9 | extra << 5};
  }
  constexpr DeflateEntry with_length(unsigned length) const { return {word | length}; }
  constexpr unsigned length() const { return word & 31; }
  constexpr unsigned extra() const { return word >> 5 & 15; }
  constexpr Kind kind() const { return static_cast<Kind>(word >> 9 & 7); }
  constexpr unsigned value() const { return word >> 16; }
};

inline constexpr unsigned deflate_length_max = 15;
enum class DeflateAlphabet : std::uint8_t { code_lengths, literals, distances };

// Fills `table` (2^root entries and room for second tables) from the code length of each symbol. EINVAL for
// lengths that are no prefix code. Bit patterns without a symbol get `invalid` entries; they are allowed only
// where RFC 1951 has them: at most one code, of length 1.
base::Result<void> build_deflate_table(std::span<DeflateEntry> table, unsigned root, DeflateAlphabet alphabet,
                                       std::span<const std::uint8_t> lengths);

}  // namespace decompress
