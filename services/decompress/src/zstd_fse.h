// Finite state entropy tables of zstd (RFC 8878, 4.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace decompress {

inline constexpr unsigned fse_symbols_max = 53;  // match length codes: the largest alphabet

// How often each symbol occurs among 2^accuracy_log states; -1 is "less than once" and takes one state.
struct FseDistribution {
  std::array<std::int16_t, fse_symbols_max> counts{};
  unsigned symbols = 0;
  unsigned accuracy_log = 0;
};

// Reads the description at the front of `input` and returns its size in bytes.
base::Result<std::size_t> read_fse_distribution(std::span<const std::uint8_t> input, unsigned symbols_max,
                                                unsigned accuracy_log_max, FseDistribution& distribution);

struct FseState {
  std::uint8_t symbol;
  std::uint8_t bits;        // to read for the next state
  std::uint16_t next_base;  // what they are added to
};

// Fills the first 2^accuracy_log entries.
base::Result<void> build_fse_table(const FseDistribution& distribution, std::span<FseState> table);

}  // namespace decompress
