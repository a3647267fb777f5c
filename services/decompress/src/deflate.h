// Decoder of DEFLATE streams (RFC 1951).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bytes.h"
#include "deflate_code.h"
#include "output_window.h"

namespace decompress {

// Bits from the low end of each byte on. Behind the end of the input come zeroes, which are counted:
// overrun() tells that some of them were used.
class ForwardBits {
 public:
  explicit ForwardBits(std::span<const std::uint8_t> input)
      : begin_(input.data()), at_(input.data()), end_(input.data() + input.size()) {}

  // At least 56 bits are there afterwards.
  void refill() {
    if (end_ - at_ >= 8) [[likely]] {
      bits_ |= load<std::uint64_t>(at_) << count_;
      at_ += (63 - count_) >> 3;
      count_ |= 56;
    } else {
      refill_at_end();
    }
  }
  std::uint64_t peek() const { return bits_; }
  unsigned take(unsigned count) {
    auto value = static_cast<unsigned>(bits_ & ((std::uint64_t{1} << count) - 1));
    drop(count);
    return value;
  }
  void drop(unsigned count) {
    bits_ >>= count;
    count_ -= count;
  }
  bool overrun() const { return phantom_bytes_ * 8 > count_; }
  // Goes to the next byte boundary; position() is then exact, and continue_at() goes on elsewhere.
  void align() {
    unsigned unread = count_ / 8 - phantom_bytes_;
    at_ -= unread;
    bits_ = 0;
    count_ = phantom_bytes_ = 0;
  }
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  std::span<const std::uint8_t> rest() const { return {at_, end_}; }
  void skip_bytes(std::size_t size) { at_ += size; }

 private:
  void refill_at_end() {
    for (; count_ <= 56; count_ += 8) {
      if (at_ < end_)
        bits_ |= std::uint64_t{*at_++} << count_;
      else
        ++phantom_bytes_;
    }
  }

  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint64_t bits_ = 0;
  unsigned count_ = 0;
  unsigned phantom_bytes_ = 0;
};

class Inflater {
 public:
  static constexpr std::size_t history = 32 * 1024, chunk = 96 * 1024;

  // Returns how many bytes of `input` the stream took. `output` has room for the two constants above.
  base::Result<std::size_t> run(std::span<const std::uint8_t> input, OutputWindow& output);

 private:
  static constexpr unsigned literal_root = 11, distance_root = 8, code_length_root = 7;

  base::Result<void> stored_block(ForwardBits& bits, OutputWindow& output);
  base::Result<void> read_codes(ForwardBits& bits);
  base::Result<void> fixed_codes();
  base::Result<void> coded_block(ForwardBits& bits, OutputWindow& output);

  // Sizes: 2^root plus the most that second tables can take for 288 and 32 symbols (2342 and 402), rounded
  // up.
  std::array<DeflateEntry, 2400> literals_;
  std::array<DeflateEntry, 420> distances_;
  std::array<DeflateEntry, 128> code_lengths_;
};

}  // namespace decompress
