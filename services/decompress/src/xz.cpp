// xz streams (the .xz file format, version 1.2.0): header, blocks, index, footer.
#include "base/bits.h"
#include "base/ref.h"
#include "formats.h"
#include "lzma2.h"
#include "output_window.h"

namespace decompress {
namespace {

enum class Check : std::uint8_t { none = 0, crc32 = 1, crc64 = 4 };

std::size_t size_of(Check check) { return check == Check::none ? 0 : check == Check::crc32 ? 4 : 8; }

// Seven bits a byte, least significant first, at most 63 bits, no superfluous zero at the end.
base::Result<std::uint64_t> take_number(ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 9; ++i) {
    unsigned byte = TRY(reader.take<std::uint8_t>());
    value |= std::uint64_t{byte & 0x7f} << (7 * i);
    if (byte >= 0x80) continue;
    if (byte == 0 && i > 0) return base::error(base::Errno::einval);
    return value;
  }
  return base::error(base::Errno::einval);
}

base::Result<void> skip_zeroes(ByteReader& reader, std::size_t count) {
  for (std::uint8_t byte : TRY(reader.take_bytes(count)))
    if (byte) return base::error(base::Errno::einval);
  return {};
}

struct BlockHeader {
  std::optional<std::uint64_t> coded_size, size;
  std::uint64_t dictionary_size = 0;
};

// What the index repeats of every block: sizes, compared through their number and a hash.
struct Records {
  std::uint64_t count = 0;
  XxHash64 hash;

  void add(std::uint64_t unpadded_size, std::uint64_t size) {
    const std::uint64_t both[2] = {unpadded_size, size};
    std::uint8_t bytes[sizeof(both)];
    std::memcpy(bytes, both, sizeof(both));
    hash.update(bytes);
    ++count;
  }
  bool operator==(const Records& other) const {
    return count == other.count && hash.value() == other.hash.value();
  }
};

class StreamDecoder {
 public:
  StreamDecoder(std::span<const std::uint8_t> input, Sink sink)
      : reader_(input), input_(input), sink_(sink) {}

  base::Result<std::size_t> run() {
    TRY(stream_header());
    decoder_ = TRY(base::try_make_unique<Lzma2Decoder>());
    while (std::size_t header_code = TRY(reader_.take<std::uint8_t>())) TRY(block((header_code + 1) * 4));
    std::size_t index_size = TRY(index());
    TRY(footer(index_size));
    return reader_.position();
  }

 private:
  std::span<const std::uint8_t> since(std::size_t start) const {
    return input_.subspan(start, reader_.position() - start);
  }

  base::Result<void> stream_header() {
    constexpr std::uint8_t magic[6] = {0xfd, '7', 'z', 'X', 'Z', 0};
    if (std::memcmp(TRY(reader_.take_bytes(6)).data(), magic, 6) != 0)
      return base::error(base::Errno::einval);
    auto flags = TRY(reader_.take_bytes(2));
    if (TRY(reader_.take<std::uint32_t>()) != Crc32::of(flags)) return base::error(base::Errno::ebadmsg);
    flags_ = load<std::uint16_t>(flags.data());
    if (flags[0] || flags[1] > 15) return base::error(base::Errno::einval);
    if (flags[1] != 0 && flags[1] != 1 && flags[1] != 4) return base::error(base::Errno::eopnotsupp);
    check_ = static_cast<Check>(flags[1]);
    return {};
  }

  base::Result<BlockHeader> block_header(std::size_t start, std::size_t size) {
    if (input_.size() - start < size) return base::error(base::Errno::einval);
    auto bytes = input_.subspan(start, size);
    if (load<std::uint32_t>(bytes.data() + size - 4) != Crc32::of(bytes.first(size - 4)))
      return base::error(base::Errno::ebadmsg);
    ByteReader fields{bytes.first(size - 4).subspan(1)};
    BlockHeader header;
    unsigned flags = TRY(fields.take<std::uint8_t>());
    if (flags & 0x3c) return base::error(base::Errno::einval);
    if (flags & 0x40) header.coded_size = TRY(take_number(fields));
    if (flags & 0x80) header.size = TRY(take_number(fields));
    constexpr std::uint64_t filter_lzma2 = 0x21;
    if ((flags & 3) != 0 || TRY(take_number(fields)) != filter_lzma2)
      return base::error(base::Errno::eopnotsupp);
    if (TRY(take_number(fields)) != 1) return base::error(base::Errno::einval);
    unsigned code = TRY(fields.take<std::uint8_t>());
    if (code > 39) return base::error(code == 40 ? base::Errno::e2big : base::Errno::einval);
    header.dictionary_size = std::uint64_t{2 | (code & 1)} << (code / 2 + 11);
    TRY(skip_zeroes(fields, fields.rest().size()));
    return header;
  }

  base::Result<void> block(std::size_t header_size) {
    std::size_t start = reader_.position() - 1;
    BlockHeader header = TRY(block_header(start, header_size));
    TRY(reader_.skip(header_size - 1));
    if (header.dictionary_size > window_max) return base::error(base::Errno::e2big);
    auto window = static_cast<std::size_t>(header.dictionary_size);
    if (header.size && *header.size < window) window = static_cast<std::size_t>(*header.size);

    Crc32 crc32;
    Crc64 crc64;
    OutputWindow output{sink_};
    constexpr std::size_t working_min = 64 * 1024, working_max = std::size_t{4} << 20;
    std::size_t working = window < working_min ? working_min : window < working_max ? window : working_max;
    TRY(output.allocate(window, working));
    if (check_ == Check::crc32) output.set_checksum(&crc32);
    if (check_ == Check::crc64) output.set_checksum(&crc64);
    std::size_t coded_size = TRY(decoder_->run(reader_.rest(), output, window));
    TRY(output.flush());
    TRY(reader_.skip(coded_size));
    if ((header.coded_size && *header.coded_size != coded_size) ||
        (header.size && *header.size != output.total()))
      return base::error(base::Errno::ebadmsg);
    records_.add(header_size + coded_size + size_of(check_), output.total());
    TRY(skip_zeroes(reader_, -reader_.position() & 3));
    std::uint64_t found = TRY(reader_.take_sized(size_of(check_)));
    std::uint64_t computed = check_ == Check::crc32   ? crc32.value()
                             : check_ == Check::crc64 ? crc64.value()
                                                      : 0;
    return found == computed ? base::Result<void>{} : base::error(base::Errno::ebadmsg);
  }

  // Returns its size with the checksum.
  base::Result<std::size_t> index() {
    std::size_t start = reader_.position() - 1;
    Records listed;
    std::uint64_t count = TRY(take_number(reader_));
    if (count != records_.count) return base::error(base::Errno::ebadmsg);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t unpadded_size = TRY(take_number(reader_));
      listed.add(unpadded_size, TRY(take_number(reader_)));
    }
    if (!(listed == records_)) return base::error(base::Errno::ebadmsg);
    TRY(skip_zeroes(reader_, -(reader_.position() - start) & 3));
    std::uint32_t computed = Crc32::of(since(start));
    if (TRY(reader_.take<std::uint32_t>()) != computed) return base::error(base::Errno::ebadmsg);
    return reader_.position() - start;
  }

  base::Result<void> footer(std::size_t index_size) {
    auto expected = TRY(reader_.take<std::uint32_t>());
    std::size_t start = reader_.position();
    std::uint64_t backward_size = (TRY(reader_.take<std::uint32_t>()) + std::uint64_t{1}) * 4;
    auto flags = TRY(reader_.take<std::uint16_t>());
    if (expected != Crc32::of(since(start))) return base::error(base::Errno::ebadmsg);
    if (backward_size != index_size || flags != flags_) return base::error(base::Errno::ebadmsg);
    if (TRY(reader_.take<std::uint16_t>()) != 0x5a59) return base::error(base::Errno::einval);
    return {};
  }

  ByteReader reader_;
  std::span<const std::uint8_t> input_;
  Sink sink_;
  std::uint16_t flags_ = 0;
  Check check_ = Check::none;
  Records records_;
  std::unique_ptr<Lzma2Decoder> decoder_;
};

}  // namespace

base::Result<std::size_t> decompress_xz(std::span<const std::uint8_t> input, Sink sink) {
  return StreamDecoder{input, sink}.run();
}

}  // namespace decompress
