// zstd frames (RFC 8878, 3.1).
#include "base/ref.h"
#include "formats.h"
#include "output_window.h"
#include "zstd_huffman.h"
#include "zstd_sequences.h"

namespace decompress {
namespace {

constexpr std::uint32_t frame_magic = 0xfd2fb528u;
constexpr std::size_t block_size_limit = 128 * 1024;

struct FrameHeader {
  bool content_checksum = false;
  bool has_content_size = false;
  std::uint64_t content_size = 0;
  std::uint64_t window_size = 0;
};

base::Result<FrameHeader> read_frame_header(ByteReader& reader) {
  FrameHeader header;
  unsigned descriptor = TRY(reader.take<std::uint8_t>());
  if (descriptor & 8) return base::error(base::Errno::einval);
  bool single_segment = (descriptor & 0x20) != 0;
  header.content_checksum = (descriptor & 4) != 0;
  if (!single_segment) {
    unsigned window = TRY(reader.take<std::uint8_t>());
    std::uint64_t unit = std::uint64_t{1} << (10 + (window >> 3));
    header.window_size = unit + unit / 8 * (window & 7);
  }
  constexpr std::uint8_t dictionary_id_size[4] = {0, 1, 2, 4};
  if (TRY(reader.take_sized(dictionary_id_size[descriptor & 3])) != 0)
    return base::error(base::Errno::eopnotsupp);
  unsigned size_code = descriptor >> 6;
  header.has_content_size = size_code != 0 || single_segment;
  if (header.has_content_size) {
    header.content_size = TRY(reader.take_sized(std::size_t{1} << size_code));
    if (size_code == 1) header.content_size += 256;
  }
  if (single_segment) header.window_size = header.content_size;
  if (header.window_size > window_max) return base::error(base::Errno::e2big);
  return header;
}

class FrameDecoder {
 public:
  FrameDecoder(const FrameHeader& header, OutputWindow& output) : output_(output) {
    block_max_ = header.window_size < block_size_limit ? static_cast<std::size_t>(header.window_size)
                                                       : block_size_limit;
  }

  base::Result<void> blocks(ByteReader& reader) {
    for (bool last = false; !last;) {
      auto header = static_cast<std::uint32_t>(TRY(reader.take_sized(3)));
      last = (header & 1) != 0;
      unsigned kind = header >> 1 & 3;
      std::size_t size = header >> 3;
      if (size > block_max_) return base::error(base::Errno::einval);
      if (kind == 0)
        TRY(output_.put(TRY(reader.take_bytes(size))));
      else if (kind == 1)
        TRY(output_.fill(TRY(reader.take<std::uint8_t>()), size));
      else if (kind == 2)
        TRY(compressed_block(TRY(reader.take_bytes(size))));
      else
        return base::error(base::Errno::einval);
    }
    return {};
  }

 private:
  base::Result<void> compressed_block(std::span<const std::uint8_t> block) {
    ByteReader reader{block};
    TRY(read_literals(reader));
    TRY(output_.make_room(block_size_limit));
    return sequences_.run(reader.rest(), literals_, literals_slack_, output_, block_max_);
  }

  base::Result<void> read_literals(ByteReader& reader) {
    unsigned first = TRY(reader.take<std::uint8_t>());
    unsigned kind = first & 3, format = first >> 2 & 3;
    if (kind >= 2) return read_coded_literals(reader, first);
    std::size_t size = format == 1   ? first >> 4 | std::size_t{TRY(reader.take<std::uint8_t>())} << 4
                       : format == 3 ? first >> 4 | std::size_t{TRY(reader.take<std::uint16_t>())} << 4
                                     : first >> 3;
    if (size > block_max_) return base::error(base::Errno::einval);
    if (kind == 0) {
      literals_ = TRY(reader.take_bytes(size));
      literals_slack_ = ZstdSequences::LiteralsSlack::no;
    } else {
      std::memset(literal_memory_.data(), TRY(reader.take<std::uint8_t>()), size);
      use_literal_memory(size);
    }
    return {};
  }

  // The header holds two sizes of 10, 14 or 18 bits each.
  base::Result<void> read_coded_literals(ByteReader& reader, unsigned first) {
    unsigned format = first >> 2 & 3, width = format < 2 ? 10 : format == 2 ? 14 : 18;
    std::uint64_t header = first | TRY(reader.take_sized((4 + 2 * width) / 8 - 1)) << 8;
    std::size_t size = header >> 4 & ((1u << width) - 1),
                coded_size = header >> (4 + width) & ((1u << width) - 1);
    if (size > block_max_) return base::error(base::Errno::einval);
    auto coded = TRY(reader.take_bytes(coded_size));
    if ((first & 3) == 2)
      coded = coded.subspan(TRY(huffman_.read(coded)));
    else if (!huffman_.valid())
      return base::error(base::Errno::einval);
    std::span<std::uint8_t> memory{literal_memory_.data(), size};
    if (format == 0)
      TRY(huffman_.decode(coded, memory));
    else
      TRY(huffman_.decode_four(coded, memory));
    use_literal_memory(size);
    return {};
  }

  void use_literal_memory(std::size_t size) {
    literals_ = {literal_memory_.data(), size};
    literals_slack_ = ZstdSequences::LiteralsSlack::yes;
  }

  OutputWindow& output_;
  std::size_t block_max_;
  ZstdHuffman huffman_;
  ZstdSequences sequences_;
  std::span<const std::uint8_t> literals_;
  ZstdSequences::LiteralsSlack literals_slack_ = ZstdSequences::LiteralsSlack::no;
  std::array<std::uint8_t, block_size_limit + 32> literal_memory_;
};

// History and working area: as much of the window as the content can use, and room so that moving it is rare.
base::Result<void> allocate_window(const FrameHeader& header, OutputWindow& output) {
  constexpr std::size_t working_max = std::size_t{4} << 20;
  auto window = static_cast<std::size_t>(header.window_size);
  if (header.has_content_size && header.content_size < window)
    window = static_cast<std::size_t>(header.content_size);
  std::size_t working = window < working_max ? window : working_max;
  return output.allocate(window, working > 2 * block_size_limit ? working : 2 * block_size_limit);
}

}  // namespace

base::Result<std::size_t> decompress_zstd(std::span<const std::uint8_t> input, Sink sink) {
  ByteReader reader{input};
  auto magic = TRY(reader.take<std::uint32_t>());
  if (is_skippable_magic(magic)) {
    TRY(reader.skip(TRY(reader.take<std::uint32_t>())));
    return reader.position();
  }
  if (magic != frame_magic) return base::error(base::Errno::einval);
  FrameHeader header = TRY(read_frame_header(reader));
  OutputWindow output{sink};
  TRY(allocate_window(header, output));
  XxHash64 hash;
  if (header.content_checksum) output.set_checksum(&hash);
  auto decoder = TRY(base::try_make_unique<FrameDecoder>(header, output));
  TRY(decoder->blocks(reader));
  TRY(output.flush());
  if (header.has_content_size && header.content_size != output.total())
    return base::error(base::Errno::ebadmsg);
  if (header.content_checksum &&
      TRY(reader.take<std::uint32_t>()) != static_cast<std::uint32_t>(hash.value()))
    return base::error(base::Errno::ebadmsg);
  return reader.position();
}

}  // namespace decompress
