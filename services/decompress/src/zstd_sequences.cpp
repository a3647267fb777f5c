#include "zstd_sequences.h"

namespace decompress {
namespace {

struct CodeMeaning {
  std::uint32_t value;
  std::uint8_t extra_bits;
};

constexpr auto literal_length_codes = [] {
  std::array<CodeMeaning, 36> codes{};
  for (unsigned code = 0; code < 16; ++code) codes[code] = {code, 0};
  constexpr std::uint8_t extra[20] = {1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  std::uint32_t value = 16;
  for (unsigned i = 0; i < 20; ++i) {
    codes[16 + i] = {value, extra[i]};
    value += 1u << extra[i];
  }
  return codes;
}();
static_assert(literal_length_codes[24].value == 48 && literal_length_codes[25].value == 64 &&
              literal_length_codes[35].value == 65536);

constexpr auto match_length_codes = [] {
  std::array<CodeMeaning, 53> codes{};
  for (unsigned code = 0; code < 32; ++code) codes[code] = {code + 3, 0};
  constexpr std::uint8_t extra[21] = {1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  std::uint32_t value = 35;
  for (unsigned i = 0; i < 21; ++i) {
    codes[32 + i] = {value, extra[i]};
    value += 1u << extra[i];
  }
  return codes;
}();
static_assert(match_length_codes[42].value == 99 && match_length_codes[43].value == 131 &&
              match_length_codes[52].value == 65539);

constexpr unsigned offset_code_max = 31;

struct AlphabetRules {
  unsigned symbols, log_max;
  FseDistribution predefined;
};

template <std::size_t size>
constexpr FseDistribution predefine(const std::int16_t (&counts)[size], unsigned log) {
  FseDistribution distribution;
  for (std::size_t i = 0; i < size; ++i) distribution.counts[i] = counts[i];
  distribution.symbols = size;
  distribution.accuracy_log = log;
  return distribution;
}

// RFC 8878, 3.1.1.3.2.2. In the order of ZstdSequences::Alphabet.
constexpr AlphabetRules alphabets[3] = {
    {36, 9,
     predefine({4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1,  1,  2,  2,
                2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1},
               6)},
    {offset_code_max + 1, 8,
     predefine({1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1},
               5)},
    {53, 9,
     predefine({1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  1,  1,  1,  1,  1,  1, 1,
                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1},
               6)},
};

CodeMeaning meaning_of(unsigned alphabet, unsigned code) {
  if (alphabet == 0) return literal_length_codes[code];
  if (alphabet == 2) return match_length_codes[code];
  return {1u << code, static_cast<std::uint8_t>(code)};
}

enum TableMode : unsigned { predefined, single, described, repeated };

}  // namespace

base::Result<void> ZstdSequences::fill_table(Alphabet alphabet, const FseDistribution& distribution) {
  Table& table = tables_[alphabet];
  table.valid = false;
  TRY(build_fse_table(distribution, scratch_));
  for (unsigned i = 0; i < 1u << distribution.accuracy_log; ++i) {
    CodeMeaning meaning = meaning_of(alphabet, scratch_[i].symbol);
    table.states[i] = {meaning.value, scratch_[i].next_base, scratch_[i].bits, meaning.extra_bits};
  }
  table.log = distribution.accuracy_log;
  table.valid = true;
  return {};
}

base::Result<void> ZstdSequences::read_table(Alphabet alphabet, unsigned mode, ByteReader& reader) {
  const AlphabetRules& rules = alphabets[alphabet];
  Table& table = tables_[alphabet];
  switch (mode) {
    case predefined:
      return fill_table(alphabet, rules.predefined);
    case single: {
      unsigned code = TRY(reader.take<std::uint8_t>());
      if (code >= rules.symbols) return base::error(base::Errno::einval);
      CodeMeaning meaning = meaning_of(alphabet, code);
      table.states[0] = {meaning.value, 0, 0, meaning.extra_bits};
      table.log = 0;
      table.valid = true;
      return {};
    }
    case described: {
      FseDistribution distribution;
      TRY(reader.skip(TRY(read_fse_distribution(reader.rest(), rules.symbols, rules.log_max, distribution))));
      return fill_table(alphabet, distribution);
    }
    default:
      if (!table.valid) return base::error(base::Errno::einval);
      return {};
  }
}

base::Result<void> ZstdSequences::run(std::span<const std::uint8_t> input,
                                      std::span<const std::uint8_t> literals, LiteralsSlack slack,
                                      OutputWindow& output, std::size_t output_max) {
  ByteReader reader{input};
  std::size_t count = TRY(reader.take<std::uint8_t>());
  if (count == 255)
    count = TRY(reader.take<std::uint16_t>()) + std::size_t{0x7f00};
  else if (count >= 128)
    count = ((count - 128) << 8) + TRY(reader.take<std::uint8_t>());

  literals_ = literals.data();
  literals_end_ = literals_ + literals.size();
  wide_end_ = slack == LiteralsSlack::yes ? literals_end_
              : literals.size() >= 16     ? literals_end_ - 16
                                          : literals_;
  output_left_ = output_max;
  if (count > 0) {
    unsigned modes = TRY(reader.take<std::uint8_t>());
    if (modes & 3) return base::error(base::Errno::einval);
    TRY(read_table(literal_lengths, modes >> 6, reader));
    TRY(read_table(offsets, modes >> 4 & 3, reader));
    TRY(read_table(match_lengths, modes >> 2 & 3, reader));
    TRY(execute(reader.rest(), count, output));
  } else if (!reader.empty()) {
    return base::error(base::Errno::einval);
  }
  auto left = static_cast<std::size_t>(literals_end_ - literals_);
  if (left > output_left_) return base::error(base::Errno::einval);
  return output.put({literals_, left});
}

// Three offsets are remembered; values 1 to 3 mean them, shifted by one when there are no literals.
std::size_t ZstdSequences::resolve_offset(std::uint64_t value, std::size_t literal_length) {
  auto& recent = recent_offsets_;
  std::size_t offset;
  if (value > 3) {
    offset = value - 3;
    recent = {offset, recent[0], recent[1]};
    return offset;
  }
  std::size_t index = value - 1 + (literal_length == 0);
  if (index == 0) return recent[0];
  offset = index == 3 ? recent[0] - 1 : recent[index];
  if (index == 1)
    recent = {offset, recent[0], recent[2]};
  else
    recent = {offset, recent[0], recent[1]};
  return offset;
}

base::Result<void> ZstdSequences::carry_out(const Sequence& sequence, OutputWindow& output) {
  if (sequence.literals > static_cast<std::size_t>(literals_end_ - literals_) ||
      sequence.literals + sequence.length > output_left_) [[unlikely]]
    return base::error(base::Errno::einval);
  output_left_ -= sequence.literals + sequence.length;
  if (literals_ + sequence.literals <= wide_end_) [[likely]] {
    if (sequence.literals) copy_wide(output.position, literals_, sequence.literals);
  } else {
    std::memcpy(output.position, literals_, sequence.literals);
  }
  output.position += sequence.literals;
  literals_ += sequence.literals;
  if (sequence.offset == 0 || sequence.offset > output.reachable()) [[unlikely]]
    return base::error(base::Errno::einval);
  output.position = copy_match(output.position, sequence.offset, sequence.length);
  return {};
}

base::Result<void> ZstdSequences::execute(std::span<const std::uint8_t> stream, std::size_t count,
                                          OutputWindow& output) {
  auto bits = TRY(BackwardBits::create(stream));
  const SequenceState* literal_state =
      &tables_[literal_lengths].states[bits.take(tables_[literal_lengths].log)];
  const SequenceState* offset_state = &tables_[offsets].states[bits.take(tables_[offsets].log)];
  const SequenceState* match_state = &tables_[match_lengths].states[bits.take(tables_[match_lengths].log)];
  while (count--) {
    bits.refill();
    std::uint64_t offset_value = offset_state->value + bits.take(offset_state->extra_bits);
    bits.refill();
    Sequence sequence;
    sequence.length = match_state->value + bits.take(match_state->extra_bits);
    sequence.literals = literal_state->value + bits.take(literal_state->extra_bits);
    sequence.offset = resolve_offset(offset_value, sequence.literals);
    if (count) {
      bits.refill();
      auto next = [&bits](const SequenceState* state, const Table& table) {
        return &table.states[state->next_base + bits.take(state->next_bits)];
      };
      if (bits.overrun()) [[unlikely]]
        return base::error(base::Errno::einval);
      literal_state = next(literal_state, tables_[literal_lengths]);
      match_state = next(match_state, tables_[match_lengths]);
      offset_state = next(offset_state, tables_[offsets]);
    }
    TRY(carry_out(sequence, output));
  }
  bits.refill();
  if (!bits.finished()) return base::error(base::Errno::einval);
  return {};
}

}  // namespace decompress
