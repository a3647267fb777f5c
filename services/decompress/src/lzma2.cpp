#include "lzma2.h"

namespace decompress {
namespace {

constexpr unsigned probability_bits = 11, adapt_shift = 5;
constexpr Probability probability_half = 1u << (probability_bits - 1);
constexpr unsigned literal_states = 7;  // states below: the last symbol was a literal

}  // namespace

base::Result<void> RangeDecoder::start(std::span<const std::uint8_t> chunk) {
  if (chunk.size() < preamble || chunk[0] != 0) return base::error(base::Errno::einval);
  code_ = __builtin_bswap32(load<std::uint32_t>(chunk.data() + 1));
  range_ = ~0u;
  at_ = chunk.data() + preamble;
  end_ = chunk.data() + chunk.size();
  return {};
}

inline unsigned RangeDecoder::bit(Probability& probability) {
  normalize();
  std::uint32_t bound = (range_ >> probability_bits) * probability;
  if (code_ < bound) {
    range_ = bound;
    probability =
        static_cast<Probability>(probability + (((1u << probability_bits) - probability) >> adapt_shift));
    return 0;
  }
  range_ -= bound;
  code_ -= bound;
  probability = static_cast<Probability>(probability - (probability >> adapt_shift));
  return 1;
}

inline unsigned RangeDecoder::direct_bits(unsigned count) {
  unsigned value = 0;
  while (count--) {
    normalize();
    range_ >>= 1;
    unsigned one = code_ >= range_;
    if (one) code_ -= range_;
    value = value << 1 | one;
  }
  return value;
}

inline unsigned Lzma2Decoder::tree(Probability* probabilities, unsigned bits) {
  unsigned symbol = 1;
  for (unsigned i = 0; i < bits; ++i) symbol = symbol << 1 | range_.bit(probabilities[symbol]);
  return symbol - (1u << bits);
}

inline unsigned Lzma2Decoder::reverse_tree(Probability* probabilities, unsigned bits) {
  unsigned symbol = 1, value = 0;
  for (unsigned i = 0; i < bits; ++i) {
    unsigned bit = range_.bit(probabilities[symbol]);
    symbol = symbol << 1 | bit;
    value |= bit << i;
  }
  return value;
}

void Lzma2Decoder::reset_state() {
  state_ = 0;
  distances_ = {};
  // SAFETY: Model is made of Probability alone.
  auto* all = reinterpret_cast<Probability*>(&model_);
  for (std::size_t i = 0; i < sizeof(model_) / sizeof(Probability); ++i) all[i] = probability_half;
}

base::Result<void> Lzma2Decoder::set_properties(unsigned byte) {
  if (byte >= 9 * 5 * 5) return base::error(base::Errno::einval);
  unsigned context_bits = byte % 9, position_bits = byte / 9 % 5, pair_bits = byte / 45;
  if (context_bits + position_bits > 4) return base::error(base::Errno::einval);
  literal_context_bits_ = context_bits;
  literal_position_mask_ = (1u << position_bits) - 1;
  position_mask_ = (1u << pair_bits) - 1;
  return {};
}

base::Result<std::size_t> Lzma2Decoder::run(std::span<const std::uint8_t> input, OutputWindow& output,
                                            std::size_t dictionary_size) {
  ByteReader reader{input};
  dictionary_size_ = dictionary_size;
  auto take_big_endian = [&reader]() -> base::Result<std::size_t> {
    return std::size_t{__builtin_bswap16(TRY(reader.take<std::uint16_t>()))};
  };
  bool needs_dictionary = true, needs_properties = true;
  while (unsigned control = TRY(reader.take<std::uint8_t>())) {
    if (control >= 0xe0 || control == 1) {
      needs_properties = true;
      needs_dictionary = false;
      dictionary_start_ = output.total();
    } else if (needs_dictionary) {
      return base::error(base::Errno::einval);
    }
    if (control < 0x80) {
      if (control > 2) return base::error(base::Errno::einval);
      std::size_t size = TRY(take_big_endian()) + 1;
      TRY(output.put(TRY(reader.take_bytes(size))));
      continue;
    }
    std::size_t size = ((control & 0x1f) << 16) + TRY(take_big_endian()) + 1;
    std::size_t coded_size = TRY(take_big_endian()) + 1;
    if (control >= 0xc0) {
      TRY(set_properties(TRY(reader.take<std::uint8_t>())));
      needs_properties = false;
    } else if (needs_properties) {
      return base::error(base::Errno::einval);
    }
    if (control >= 0xa0) reset_state();
    TRY(lzma_chunk(TRY(reader.take_bytes(coded_size)), size, output));
  }
  return reader.position();
}

base::Result<void> Lzma2Decoder::lzma_chunk(std::span<const std::uint8_t> chunk, std::size_t size,
                                            OutputWindow& output) {
  TRY(range_.start(chunk));
  while (size > 0) {
    TRY(output.make_room(match_max + 1));
    TRY(one_symbol(output, size));
    if (range_.overrun()) [[unlikely]]
      return base::error(base::Errno::einval);
  }
  range_.normalize();
  return range_.finished() ? base::Result<void>{} : base::error(base::Errno::einval);
}

base::Result<void> Lzma2Decoder::one_symbol(OutputWindow& output, std::size_t& left) {
  auto position_state = static_cast<unsigned>(position(output)) & position_mask_;
  if (!range_.bit(model_.is_match[state_][position_state])) {
    literal(output);
    --left;
    return {};
  }
  std::size_t count = range_.bit(model_.is_repeat[state_]) ? repeat(position_state) : match(position_state);
  std::uint64_t distance = std::uint64_t{distances_[0]} + 1;
  std::uint64_t reach = position(output) < dictionary_size_ ? position(output) : dictionary_size_;
  if (count > left || distance > reach) [[unlikely]]
    return base::error(base::Errno::einval);
  output.position = copy_match(output.position, static_cast<std::size_t>(distance), count);
  left -= count;
  return {};
}

// After a match the byte that would continue it steers the probabilities, as long as it agrees.
void Lzma2Decoder::literal(OutputWindow& output) {
  std::uint64_t at = position(output);
  unsigned previous = at ? output.position[-1] : 0;
  unsigned context = ((static_cast<unsigned>(at) & literal_position_mask_) << literal_context_bits_) +
                     (previous >> (8 - literal_context_bits_));
  Probability* probabilities = model_.literal[context];
  unsigned symbol = 1;
  std::uint64_t distance = std::uint64_t{distances_[0]} + 1;
  if (state_ >= literal_states && distance <= at && distance <= output.reachable()) {
    unsigned match_byte = output.position[-static_cast<std::ptrdiff_t>(distance)];
    while (symbol < 0x100) {
      unsigned match_bit = match_byte >> 7 & 1;
      match_byte <<= 1;
      unsigned bit = range_.bit(probabilities[((1 + match_bit) << 8) + symbol]);
      symbol = symbol << 1 | bit;
      if (match_bit != bit) break;
    }
  }
  while (symbol < 0x100) symbol = symbol << 1 | range_.bit(probabilities[symbol]);
  *output.position++ = static_cast<std::uint8_t>(symbol);
  state_ = state_ < 4 ? 0 : state_ < 10 ? state_ - 3 : state_ - 6;
}

std::size_t Lzma2Decoder::length(LengthCoder& coder, unsigned position_state) {
  if (!range_.bit(coder.choice)) return 2 + tree(coder.low[position_state], 3);
  if (!range_.bit(coder.choice2)) return 10 + tree(coder.middle[position_state], 3);
  return 18 + tree(coder.high, 8);
}

std::size_t Lzma2Decoder::match(unsigned position_state) {
  distances_ = {0, distances_[0], distances_[1], distances_[2]};
  state_ = state_ < literal_states ? 7 : 10;
  std::size_t count = length(model_.match_length, position_state);
  unsigned slot = tree(model_.distance_slot[count < 6 ? count - 2 : 3], 6);
  if (slot < 4) {
    distances_[0] = slot;
    return count;
  }
  unsigned bits = (slot >> 1) - 1;
  std::uint32_t distance = (2 | (slot & 1)) << bits;
  if (slot < 14) {
    // The trees of the slots share one array: slot s begins at (its first distance - s).
    distance += reverse_tree(model_.distance_special + distance - slot, bits);
  } else {
    distance += range_.direct_bits(bits - 4) << 4;
    distance += reverse_tree(model_.distance_align, 4);
  }
  distances_[0] = distance;
  return count;
}

std::size_t Lzma2Decoder::repeat(unsigned position_state) {
  if (!range_.bit(model_.is_repeat0[state_])) {
    if (!range_.bit(model_.is_long_repeat0[state_][position_state])) {
      state_ = state_ < literal_states ? 9 : 11;
      return 1;
    }
  } else if (!range_.bit(model_.is_repeat1[state_])) {
    distances_ = {distances_[1], distances_[0], distances_[2], distances_[3]};
  } else if (!range_.bit(model_.is_repeat2[state_])) {
    distances_ = {distances_[2], distances_[0], distances_[1], distances_[3]};
  } else {
    distances_ = {distances_[3], distances_[0], distances_[1], distances_[2]};
  }
  state_ = state_ < literal_states ? 8 : 11;
  return length(model_.repeat_length, position_state);
}

}  // namespace decompress
