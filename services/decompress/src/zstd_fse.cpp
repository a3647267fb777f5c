#include "zstd_fse.h"

#include <bit>

namespace decompress {
namespace {

// Bits of the description from the low end on; behind the input come zeroes.
class DescriptionBits {
 public:
  explicit DescriptionBits(std::span<const std::uint8_t> input) : input_(input) {}
  unsigned peek(unsigned count) const {
    std::uint32_t word = 0;
    for (unsigned i = 0; i < 4 && at_ / 8 + i < input_.size(); ++i)
      word |= std::uint32_t{input_[at_ / 8 + i]} << (8 * i);
    return word >> at_ % 8 & ((1u << count) - 1);
  }
  void drop(unsigned count) { at_ += count; }
  unsigned take(unsigned count) {
    unsigned value = peek(count);
    drop(count);
    return value;
  }
  std::size_t bytes_used() const { return (at_ + 7) / 8; }
  bool overrun() const { return bytes_used() > input_.size(); }

 private:
  std::span<const std::uint8_t> input_;
  std::size_t at_ = 0;
};

}  // namespace

base::Result<std::size_t> read_fse_distribution(std::span<const std::uint8_t> input, unsigned symbols_max,
                                                unsigned accuracy_log_max, FseDistribution& distribution) {
  DescriptionBits bits{input};
  distribution = {};
  distribution.accuracy_log = bits.take(4) + 5;
  if (distribution.accuracy_log > accuracy_log_max) return base::error(base::Errno::einval);
  int left = 1 << distribution.accuracy_log;
  unsigned& symbol = distribution.symbols;
  while (left > 0) {
    if (symbol >= symbols_max || bits.overrun()) return base::error(base::Errno::einval);
    // A value from 0 to left + 1: the small ones take one bit less.
    auto width = static_cast<unsigned>(std::bit_width(static_cast<unsigned>(left) + 1));
    unsigned value = bits.peek(width);
    unsigned low_mask = (1u << (width - 1)) - 1,
             short_values = (1u << width) - 1 - (static_cast<unsigned>(left) + 1);
    if ((value & low_mask) < short_values) {
      value &= low_mask;
      bits.drop(width - 1);
    } else {
      if (value > low_mask) value -= short_values;
      bits.drop(width);
    }
    int count = static_cast<int>(value) - 1;
    left -= count < 0 ? 1 : count;
    distribution.counts[symbol++] = static_cast<std::int16_t>(count);
    if (count != 0) continue;
    // How many symbols with count 0 follow: two bits at a time, 3 means more.
    for (unsigned zeroes = 3; zeroes == 3;) {
      zeroes = bits.take(2);
      if (symbol + zeroes > symbols_max || bits.overrun()) return base::error(base::Errno::einval);
      symbol += zeroes;
    }
  }
  if (left < 0 || bits.overrun()) return base::error(base::Errno::einval);
  return bits.bytes_used();
}

base::Result<void> build_fse_table(const FseDistribution& distribution, std::span<FseState> table) {
  unsigned log = distribution.accuracy_log, size = 1u << log;
  if (table.size() < size) return base::error(base::Errno::einval);
  // Symbols below probability 1 have one state each, at the end.
  unsigned high = size;
  std::array<std::uint16_t, fse_symbols_max> next{};
  for (unsigned symbol = 0; symbol < distribution.symbols; ++symbol) {
    int count = distribution.counts[symbol];
    if (count < 0) table[--high].symbol = static_cast<std::uint8_t>(symbol);
    next[symbol] = static_cast<std::uint16_t>(count < 0 ? 1 : count);
  }
  unsigned step = (size >> 1) + (size >> 3) + 3, position = 0;
  for (unsigned symbol = 0; symbol < distribution.symbols; ++symbol)
    for (int i = 0; i < distribution.counts[symbol]; ++i) {
      table[position].symbol = static_cast<std::uint8_t>(symbol);
      do position = (position + step) & (size - 1);
      while (position >= high);
    }
  for (unsigned state = 0; state < size; ++state) {
    unsigned number = next[table[state].symbol]++;
    if (number == 0) return base::error(base::Errno::einval);
    unsigned bits = log - (static_cast<unsigned>(std::bit_width(number)) - 1);
    table[state].bits = static_cast<std::uint8_t>(bits);
    table[state].next_base = static_cast<std::uint16_t>((number << bits) - size);
  }
  return {};
}

}  // namespace decompress
