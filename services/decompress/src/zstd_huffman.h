// Huffman coded literals of zstd (RFC 8878, 4.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace decompress {

class ZstdHuffman {
 public:
  bool valid() const { return log_ != 0; }
  // Reads the tree description at the front of `input`; returns its size in bytes.
  base::Result<std::size_t> read(std::span<const std::uint8_t> input);
  // Fills `output` from one stream, which must hold exactly that many symbols.
  base::Result<void> decode(std::span<const std::uint8_t> stream, std::span<std::uint8_t> output) const;
  // Four streams behind a table of the sizes of the first three.
  base::Result<void> decode_four(std::span<const std::uint8_t> streams, std::span<std::uint8_t> output) const;

 private:
  static constexpr unsigned log_max = 11;
  struct Entry {
    std::uint8_t symbol, bits;
  };

  base::Result<void> read_coded_weights(std::span<const std::uint8_t> input, unsigned& count);
  base::Result<void> build(unsigned weight_count);

  unsigned log_ = 0;
  std::array<std::uint8_t, 256> weights_{};
  std::array<Entry, 1u << log_max> table_{};
};

}  // namespace decompress
