// LZ4: the block format, the frame format (version 1) and the legacy frames that `lz4 -l` writes for kernels.
#include "formats.h"
#include "output_window.h"

namespace decompress {
namespace {

constexpr std::size_t history = 64 * 1024, chunk = 192 * 1024;
constexpr std::uint32_t frame_magic = 0x184d2204u, legacy_magic = 0x184c2102u;
constexpr std::size_t legacy_block_size = std::size_t{8} << 20;

// Decodes one block, which ends with its input. Output beyond `limit` bytes is an error.
class BlockDecoder {
 public:
  BlockDecoder(std::span<const std::uint8_t> block, OutputWindow& output, std::size_t limit)
      : at_(block.data()), end_(block.data() + block.size()), output_(output), left_(limit) {}

  base::Result<void> run() {
    for (;;) {
      if (at_ == end_) return base::error(base::Errno::einval);
      unsigned token = *at_++;
      if (token < 0xf0 && input_left() > 32 && (token & 15) != 15 && output_.room() > 64 && left_ > 64)
          [[likely]] {
        if (!short_sequence(token)) return base::error(base::Errno::einval);
        continue;
      }
      TRY(literals(token >> 4));
      if (at_ == end_) return {};  // the last sequence has no match
      TRY(match(token & 15));
    }
  }

 private:
  std::size_t input_left() const { return static_cast<std::size_t>(end_ - at_); }

  // Up to 14 literals and a match of up to 18 bytes, with all the room that wide copies want.
  bool short_sequence(unsigned token) {
    std::size_t literal_count = token >> 4, length = (token & 15) + 4;
    copy_wide(output_.position, at_, 16);
    output_.position += literal_count;
    at_ += literal_count;
    std::size_t distance = load<std::uint16_t>(at_);
    at_ += 2;
    if (distance == 0 || distance > output_.reachable()) return false;
    output_.position = copy_match(output_.position, distance, length);
    left_ -= literal_count + length;
    return true;
  }

  // The base value and, if it is 15, the bytes after it: 255 means that another follows.
  base::Result<std::size_t> extended(unsigned base_value) {
    std::size_t value = base_value;
    if (base_value != 15) return value;
    for (;;) {
      if (at_ == end_) return base::error(base::Errno::einval);
      unsigned byte = *at_++;
      value += byte;
      if (byte != 255) return value;
    }
  }

  base::Result<void> literals(unsigned count_code) {
    std::size_t count = TRY(extended(count_code));
    if (count > input_left() || count > left_) return base::error(base::Errno::einval);
    TRY(output_.put({at_, count}));
    at_ += count;
    left_ -= count;
    return {};
  }

  base::Result<void> match(unsigned length_code) {
    if (input_left() < 2) return base::error(base::Errno::einval);
    std::size_t distance = load<std::uint16_t>(at_);
    at_ += 2;
    std::size_t length = TRY(extended(length_code)) + 4;
    if (length > left_) return base::error(base::Errno::einval);
    left_ -= length;
    return output_.copy(distance, length);
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  OutputWindow& output_;
  std::size_t left_;
};

struct FrameHeader {
  bool block_checksums, content_checksum;
  std::size_t block_max = 0;
  std::uint64_t content_size = ~std::uint64_t{0};  // unknown
};

base::Result<FrameHeader> read_frame_header(ByteReader& reader) {
  FrameHeader header{};
  auto descriptor = reader.rest();
  unsigned flags = TRY(reader.take<std::uint8_t>()), block = TRY(reader.take<std::uint8_t>());
  if (flags >> 6 != 1 || flags & 2 || block & 0x8f) return base::error(base::Errno::einval);
  header.block_checksums = (flags & 0x10) != 0;
  header.content_checksum = (flags & 4) != 0;
  unsigned block_code = block >> 4 & 7;
  if (block_code < 4) return base::error(base::Errno::einval);
  header.block_max = std::size_t{1} << (8 + 2 * block_code);
  std::size_t size = 2;
  header.content_size = ~std::uint64_t{0};
  if (flags & 8) {
    header.content_size = TRY(reader.take<std::uint64_t>());
    size += 8;
  }
  if (flags & 1) return base::error(base::Errno::eopnotsupp);  // dictionary
  if (TRY(reader.take<std::uint8_t>()) != (XxHash32::of(descriptor.first(size)) >> 8 & 0xff))
    return base::error(base::Errno::ebadmsg);
  return header;
}

base::Result<void> frame_block(ByteReader& reader, std::uint32_t size_word, const FrameHeader& header,
                               OutputWindow& output) {
  bool plain = size_word >> 31 != 0;
  std::size_t size = size_word & 0x7fffffffu;
  if (size > header.block_max) return base::error(base::Errno::einval);
  auto block = TRY(reader.take_bytes(size));
  if (header.block_checksums && TRY(reader.take<std::uint32_t>()) != XxHash32::of(block))
    return base::error(base::Errno::ebadmsg);
  if (plain) return output.put(block);
  return BlockDecoder{block, output, header.block_max}.run();
}

}  // namespace

base::Result<std::size_t> decompress_lz4(std::span<const std::uint8_t> input, Sink sink) {
  ByteReader reader{input};
  auto magic = TRY(reader.take<std::uint32_t>());
  if (is_skippable_magic(magic)) {
    TRY(reader.skip(TRY(reader.take<std::uint32_t>())));
    return reader.position();
  }
  if (magic != frame_magic) return base::error(base::Errno::einval);
  FrameHeader header = TRY(read_frame_header(reader));
  OutputWindow output{sink};
  TRY(output.allocate(history, chunk));
  XxHash32 hash;
  if (header.content_checksum) output.set_checksum(&hash);
  while (auto size_word = TRY(reader.take<std::uint32_t>()))
    TRY(frame_block(reader, size_word, header, output));
  TRY(output.flush());
  if (header.content_checksum && TRY(reader.take<std::uint32_t>()) != hash.value())
    return base::error(base::Errno::ebadmsg);
  if (header.content_size != ~std::uint64_t{0} && header.content_size != output.total())
    return base::error(base::Errno::ebadmsg);
  return reader.position();
}

base::Result<std::size_t> decompress_lz4_legacy(std::span<const std::uint8_t> input, Sink sink) {
  constexpr std::size_t block_input_max = legacy_block_size + legacy_block_size / 255 + 16;
  ByteReader reader{input};
  if (TRY(reader.take<std::uint32_t>()) != legacy_magic) return base::error(base::Errno::einval);
  OutputWindow output{sink};
  TRY(output.allocate(history, chunk));
  std::size_t end = reader.position();
  while (reader.rest().size() >= 4) {
    auto size = TRY(reader.take<std::uint32_t>());
    if (size == legacy_magic) continue;              // frames joined together
    if (size == 0 || size > block_input_max) break;  // padding, or the next member of an image
    TRY(BlockDecoder(TRY(reader.take_bytes(size)), output, legacy_block_size).run());
    end = reader.position();
  }
  TRY(output.flush());
  return end;
}

base::Result<void> lz4_block(std::span<const std::uint8_t> input, std::size_t limit, Sink sink) {
  OutputWindow output{sink};
  TRY(output.allocate(history, chunk));
  TRY(BlockDecoder(input, output, limit).run());
  return output.flush();
}

}  // namespace decompress
