// Decoder of LZMA2 data, the one filter of xz streams that is supported.
//
// LZMA2 is a sequence of chunks, each stored or coded by LZMA: a binary arithmetic ("range") coder whose
// every bit has a probability that adapts, chosen by what came before. Descriptions: the LZMA specification
// that comes with the LZMA SDK, and the xz file format specification for the framing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "output_window.h"

namespace decompress {

using Probability = std::uint16_t;

// Bits of one LZMA chunk. Behind its end come zeroes; at the end of a chunk finished() tells whether it was
// used up exactly.
class RangeDecoder {
 public:
  static constexpr std::size_t preamble = 5;
  base::Result<void> start(std::span<const std::uint8_t> chunk);
  unsigned bit(Probability& probability);
  unsigned direct_bits(unsigned count);
  void normalize() {
    if (range_ >= 1u << 24) [[likely]]
      return;
    range_ <<= 8;
    code_ = code_ << 8 | (at_ < end_ ? *at_ : 0u);
    ++at_;
  }
  bool finished() const { return at_ == end_ && code_ == 0; }
  bool overrun() const { return at_ > end_ + 8; }

 private:
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint32_t range_ = 0, code_ = 0;
};

class Lzma2Decoder {
 public:
  // Decodes up to the end mark; returns how many bytes of `input` that took. `output` has room for
  // `dictionary_size` and `chunk`.
  static constexpr std::size_t match_max = 273;
  base::Result<std::size_t> run(std::span<const std::uint8_t> input, OutputWindow& output,
                                std::size_t dictionary_size);

 private:
  static constexpr unsigned states = 12, position_states_max = 16;
  struct LengthCoder {
    Probability choice, choice2;
    Probability low[position_states_max][8], middle[position_states_max][8], high[256];
  };
  // All adaptive state, which is reset as one array.
  struct Model {
    Probability is_match[states][position_states_max], is_repeat[states], is_repeat0[states],
        is_repeat1[states], is_repeat2[states], is_long_repeat0[states][position_states_max];
    Probability distance_slot[4][64], distance_special[128], distance_align[16];
    LengthCoder match_length, repeat_length;
    Probability literal[16][0x300];
  };

  base::Result<void> set_properties(unsigned byte);
  void reset_state();
  base::Result<void> lzma_chunk(std::span<const std::uint8_t> chunk, std::size_t size, OutputWindow& output);
  base::Result<void> one_symbol(OutputWindow& output, std::size_t& left);
  void literal(OutputWindow& output);
  std::size_t match(unsigned position_state);
  std::size_t repeat(unsigned position_state);
  std::size_t length(LengthCoder& coder, unsigned position_state);
  unsigned tree(Probability* probabilities, unsigned bits);
  unsigned reverse_tree(Probability* probabilities, unsigned bits);
  std::uint64_t position(const OutputWindow& output) const { return output.total() - dictionary_start_; }

  RangeDecoder range_;
  unsigned literal_context_bits_ = 0, literal_position_mask_ = 0, position_mask_ = 0;
  unsigned state_ = 0;
  std::array<std::uint32_t, 4> distances_{};  // the last four, minus one
  std::uint64_t dictionary_start_ = 0;        // output before it cannot be referred to
  std::size_t dictionary_size_ = 0;
  Model model_;
};

}  // namespace decompress
