#include "deflate_code.h"

namespace decompress {
namespace {

constexpr std::array<std::uint16_t, 29> length_base = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                                       67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<std::uint8_t, 29> length_extra = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                       2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

constexpr DeflateEntry invalid_entry = DeflateEntry::make(DeflateEntry::Kind::invalid, 0, 0);

DeflateEntry entry_for(DeflateAlphabet alphabet, unsigned symbol) {
  using Kind = DeflateEntry::Kind;
  if (alphabet == DeflateAlphabet::code_lengths) return DeflateEntry::make(Kind::literal, symbol, 0);
  if (alphabet == DeflateAlphabet::literals) {
    if (symbol < 256) return DeflateEntry::make(Kind::literal, symbol, 0);
    if (symbol == 256) return DeflateEntry::make(Kind::end, 0, 0);
    unsigned index = symbol - 257;
    return index < length_base.size()
               ? DeflateEntry::make(Kind::copy, length_base[index], length_extra[index])
               : invalid_entry;
  }
  if (symbol >= 30) return invalid_entry;
  unsigned extra = symbol < 4 ? 0 : symbol / 2 - 1;
  unsigned base = symbol < 4 ? symbol + 1 : ((2 + symbol % 2) << extra) + 1;
  return DeflateEntry::make(Kind::copy, base, extra);
}

constexpr unsigned reverse_bits(unsigned code, unsigned length) {
  unsigned reversed = 0;
  for (unsigned i = 0; i < length; ++i) reversed |= (code >> i & 1) << (length - 1 - i);
  return reversed;
}

class Builder {
 public:
  Builder(std::span<DeflateEntry> table, unsigned root, DeflateAlphabet alphabet,
          std::span<const std::uint8_t> lengths)
      : table_(table), root_(root), alphabet_(alphabet), lengths_(lengths) {}

  base::Result<void> build() {
    for (std::uint8_t length : lengths_) ++count_[length];
    count_[0] = 0;
    TRY(check());
    for (std::size_t i = 0; i < std::size_t{1} << root_; ++i) table_[i] = invalid_entry.with_length(root_);
    next_second_ = std::size_t{1} << root_;
    unsigned code = 0;
    for (unsigned length = 1; length <= deflate_length_max; ++length, code <<= 1) {
      if (!count_[length]) continue;
      for (unsigned symbol = 0; symbol < lengths_.size(); ++symbol)
        if (lengths_[symbol] == length) {
          TRY(add(symbol, length, code++));
          --count_[length];
        }
    }
    return {};
  }

 private:
  base::Result<void> check() const {
    unsigned codes = 0;
    int left = 1;  // codes of the current length that are still free
    for (unsigned length = 1; length <= deflate_length_max; ++length) {
      left = left * 2 - count_[length];
      codes += count_[length];
      if (left < 0) return base::error(base::Errno::einval);
    }
    bool single = codes <= 1 && count_[1] == codes && alphabet_ != DeflateAlphabet::code_lengths;
    if (left > 0 && !single) return base::error(base::Errno::einval);
    return {};
  }

  base::Result<void> add(unsigned symbol, unsigned length, unsigned code) {
    unsigned reversed = reverse_bits(code, length);
    DeflateEntry entry = entry_for(alphabet_, symbol);
    if (length <= root_) {
      for (unsigned at = reversed; at < 1u << root_; at += 1u << length)
        table_[at] = entry.with_length(length);
      return {};
    }
    unsigned prefix = reversed & ((1u << root_) - 1);
    if (table_[prefix].kind() != DeflateEntry::Kind::second_table) TRY(start_second_table(prefix, length));
    DeflateEntry pointer = table_[prefix];
    std::span<DeflateEntry> second = table_.subspan(pointer.value(), std::size_t{1} << pointer.extra());
    for (std::size_t at = reversed >> root_; at < second.size(); at += std::size_t{1} << (length - root_))
      second[at] = entry.with_length(length - root_);
    return {};
  }

  // As wide as the codes that are left with this prefix can fill; they come in the order of their lengths.
  base::Result<void> start_second_table(unsigned prefix, unsigned length) {
    unsigned width = length - root_;
    int left = 1 << width;
    while (width + root_ < deflate_length_max) {
      left -= count_[width + root_];
      if (left <= 0) break;
      ++width;
      left <<= 1;
    }
    std::size_t size = std::size_t{1} << width;
    if (table_.size() - next_second_ < size) return base::error(base::Errno::einval);
    for (std::size_t i = 0; i < size; ++i) table_[next_second_ + i] = invalid_entry.with_length(1);
    table_[prefix] =
        DeflateEntry::make(DeflateEntry::Kind::second_table, static_cast<unsigned>(next_second_), width)
            .with_length(root_);
    next_second_ += size;
    return {};
  }

  std::span<DeflateEntry> table_;
  unsigned root_;
  DeflateAlphabet alphabet_;
  std::span<const std::uint8_t> lengths_;
  std::array<std::uint16_t, deflate_length_max + 1> count_{};  // codes of each length, still to be added
  std::size_t next_second_ = 0;
};

}  // namespace

base::Result<void> build_deflate_table(std::span<DeflateEntry> table, unsigned root, DeflateAlphabet alphabet,
                                       std::span<const std::uint8_t> lengths) {
  return Builder{table, root, alphabet, lengths}.build();
}

}  // namespace decompress
