// The sequences of a zstd block: "copy so many literals, then so many bytes from so far back" (RFC
// 8878, 3.1.1.3.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "bytes.h"
#include "output_window.h"
#include "zstd_bits.h"
#include "zstd_fse.h"

namespace decompress {

// A state of one of the three alphabets, with what its code means.
struct SequenceState {
  std::uint32_t value;  // base of the literal length, match length or offset
  std::uint16_t next_base;
  std::uint8_t next_bits;
  std::uint8_t extra_bits;  // added to value
};

class ZstdSequences {
 public:
  // Decodes the sequences section `input` and carries it out. `literals` may be followed by at least 16
  // readable bytes only if `literals_slack` says so. The output of the block may not exceed `output_max`, for
  // which `output` has room.
  enum class LiteralsSlack : bool { no, yes };
  base::Result<void> run(std::span<const std::uint8_t> input, std::span<const std::uint8_t> literals,
                         LiteralsSlack slack, OutputWindow& output, std::size_t output_max);

 private:
  enum Alphabet : unsigned { literal_lengths, offsets, match_lengths };
  struct Table {
    std::span<SequenceState> states;
    unsigned log = 0;
    bool valid = false;
  };
  struct Sequence {
    std::size_t literals, length, offset;
  };

  base::Result<void> read_table(Alphabet alphabet, unsigned mode, ByteReader& reader);
  base::Result<void> fill_table(Alphabet alphabet, const FseDistribution& distribution);
  base::Result<void> execute(std::span<const std::uint8_t> stream, std::size_t count, OutputWindow& output);
  base::Result<void> carry_out(const Sequence& sequence, OutputWindow& output);
  std::size_t resolve_offset(std::uint64_t value, std::size_t literal_length);

  std::array<SequenceState, 512> literal_length_states_;
  std::array<SequenceState, 256> offset_states_;
  std::array<SequenceState, 512> match_length_states_;
  std::array<Table, 3> tables_{Table{literal_length_states_}, Table{offset_states_},
                               Table{match_length_states_}};
  std::array<FseState, 512> scratch_;
  // Kept from block to block.
  std::array<std::size_t, 3> recent_offsets_{1, 4, 8};
  // Of the current block.
  const std::uint8_t* literals_ = nullptr;
  const std::uint8_t* literals_end_ = nullptr;
  const std::uint8_t* wide_end_ = nullptr;  // literals may be copied in steps of 16 up to here
  std::size_t output_left_ = 0;
};

}  // namespace decompress
