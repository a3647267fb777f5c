#include "zstd_huffman.h"

#include <bit>

#include "zstd_bits.h"
#include "zstd_fse.h"

namespace decompress {
namespace {

constexpr unsigned weight_log_max = 6, weight_max = 11;

}  // namespace

base::Result<std::size_t> ZstdHuffman::read(std::span<const std::uint8_t> input) {
  log_ = 0;
  if (input.empty()) return base::error(base::Errno::einval);
  unsigned header = input[0], count = 0;
  std::size_t size;
  if (header >= 128) {  // weights of four bits each
    count = header - 127;
    size = 1 + (count + 1) / 2;
    if (input.size() < size) return base::error(base::Errno::einval);
    for (unsigned i = 0; i < count; ++i)
      weights_[i] = static_cast<std::uint8_t>(i % 2 ? input[1 + i / 2] & 15 : input[1 + i / 2] >> 4);
  } else {
    size = 1 + header;
    if (input.size() < size) return base::error(base::Errno::einval);
    TRY(read_coded_weights(input.subspan(1, header), count));
  }
  TRY(build(count));
  return size;
}

// Two states take turns on one stream, until it is used up.
base::Result<void> ZstdHuffman::read_coded_weights(std::span<const std::uint8_t> input, unsigned& count) {
  FseDistribution distribution;
  std::size_t used = TRY(read_fse_distribution(input, weight_max + 1, weight_log_max, distribution));
  std::array<FseState, 1u << weight_log_max> table;
  TRY(build_fse_table(distribution, table));
  auto bits = TRY(BackwardBits::create(input.subspan(used)));
  std::uint64_t states[2] = {bits.take(distribution.accuracy_log), bits.take(distribution.accuracy_log)};
  if (bits.overrun()) return base::error(base::Errno::einval);
  for (unsigned turn = 0;; turn ^= 1) {
    if (count >= 254) return base::error(base::Errno::einval);
    const FseState& state = table[states[turn]];
    weights_[count++] = state.symbol;
    bits.refill();
    std::uint64_t next = bits.take(state.bits);
    if (bits.overrun()) {  // the other state's symbol is the last
      weights_[count++] = table[states[turn ^ 1]].symbol;
      return {};
    }
    states[turn] = state.next_base + next;
  }
}

// The last symbol's weight is not written: it fills the sum up to a power of two.
base::Result<void> ZstdHuffman::build(unsigned count) {
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (weights_[i] > weight_max) return base::error(base::Errno::einval);
    if (weights_[i]) sum += 1u << (weights_[i] - 1);
  }
  if (sum == 0 || count > 255) return base::error(base::Errno::einval);
  auto log = static_cast<unsigned>(std::bit_width(sum));
  if (log > log_max) return base::error(base::Errno::einval);
  std::uint32_t missing = (1u << log) - sum;
  if (!std::has_single_bit(missing)) return base::error(base::Errno::einval);
  weights_[count++] = static_cast<std::uint8_t>(std::bit_width(missing));

  // Small weights (long codes) come first, symbols of one weight in their order.
  std::uint32_t at = 0;
  for (unsigned weight = 1; weight <= log; ++weight)
    for (unsigned symbol = 0; symbol < count; ++symbol) {
      if (weights_[symbol] != weight) continue;
      Entry entry{static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(log + 1 - weight)};
      for (std::uint32_t end = at + (1u << (weight - 1)); at < end; ++at) table_[at] = entry;
    }
  log_ = log;
  return {};
}

base::Result<void> ZstdHuffman::decode(std::span<const std::uint8_t> stream,
                                       std::span<std::uint8_t> output) const {
  auto bits = TRY(BackwardBits::create(stream));
  std::uint8_t* to = output.data();
  std::uint8_t* const end = to + output.size();
  auto symbol = [&] {
    Entry entry = table_[bits.peek_some(log_)];
    bits.drop(entry.bits);
    return entry.symbol;
  };
  while (end - to >= 5) {  // five codes of at most 11 bits
    bits.refill();
    if (bits.overrun()) [[unlikely]]
      return base::error(base::Errno::einval);
    to[0] = symbol();
    to[1] = symbol();
    to[2] = symbol();
    to[3] = symbol();
    to[4] = symbol();
    to += 5;
  }
  bits.refill();
  while (to < end) *to++ = symbol();
  bits.refill();
  if (!bits.finished()) return base::error(base::Errno::einval);
  return {};
}

base::Result<void> ZstdHuffman::decode_four(std::span<const std::uint8_t> streams,
                                            std::span<std::uint8_t> output) const {
  if (streams.size() < 6) return base::error(base::Errno::einval);
  std::size_t part = (output.size() + 3) / 4;
  if (part * 3 > output.size()) return base::error(base::Errno::einval);
  auto rest = streams.subspan(6);
  for (unsigned i = 0; i < 3; ++i) {
    std::size_t size = load<std::uint16_t>(streams.data() + 2 * i);
    if (size > rest.size()) return base::error(base::Errno::einval);
    TRY(decode(rest.first(size), output.subspan(i * part, part)));
    rest = rest.subspan(size);
  }
  return decode(rest, output.subspan(3 * part));
}

}  // namespace decompress
