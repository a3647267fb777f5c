// The bit streams of zstd (RFC 8878, 4.1): written forwards, read from the last byte backwards. The highest
// set bit of the last byte marks the end and is not part of the data.
//
// refill() makes at least 57 bits available, as long as there are so many. Reading on behind the beginning
// gives unspecified bits and shows in overrun().
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "bytes.h"

namespace decompress {

class BackwardBits {
 public:
  static base::Result<BackwardBits> create(std::span<const std::uint8_t> input) {
    if (input.empty() || input.back() == 0) return base::error(base::Errno::einval);
    BackwardBits bits;
    bits.begin_ = input.data();
    auto marker = static_cast<unsigned>(std::countl_zero(input.back())) + 1;
    if (input.size() >= 8) {
      bits.at_ = input.data() + input.size() - 8;
      bits.container_ = load<std::uint64_t>(bits.at_);
      bits.consumed_ = marker;
    } else {
      bits.at_ = input.data();
      for (std::size_t i = 0; i < input.size(); ++i) bits.container_ |= std::uint64_t{input[i]} << (8 * i);
      bits.consumed_ = marker + static_cast<unsigned>(8 * (8 - input.size()));
    }
    return bits;
  }

  void refill() {
    auto available = static_cast<std::size_t>(at_ - begin_);
    if (available >= 8) [[likely]] {
      at_ -= consumed_ >> 3;
      consumed_ &= 7;
      container_ = load<std::uint64_t>(at_);
    } else if (available > 0) {
      std::size_t bytes = consumed_ >> 3 < available ? consumed_ >> 3 : available;
      at_ -= bytes;
      consumed_ -= static_cast<unsigned>(8 * bytes);
      container_ = load<std::uint64_t>(at_);
    }
  }
  // count is 0 to 56.
  std::uint64_t peek(unsigned count) const { return container_ << (consumed_ & 63) >> 1 >> (63 - count); }
  // count is 1 to 56.
  std::uint64_t peek_some(unsigned count) const { return container_ << (consumed_ & 63) >> (64 - count); }
  void drop(unsigned count) { consumed_ += count; }
  std::uint64_t take(unsigned count) {
    std::uint64_t value = peek(count);
    drop(count);
    return value;
  }
  bool overrun() const { return consumed_ > 64; }
  // Everything used, nothing more.
  bool finished() const { return at_ == begin_ && consumed_ == 64; }

 private:
  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* at_ = nullptr;
  std::uint64_t container_ = 0;
  unsigned consumed_ = 0;
};

}  // namespace decompress
