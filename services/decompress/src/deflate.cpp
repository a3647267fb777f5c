#include "deflate.h"

#include "base/ref.h"
#include "formats.h"

namespace decompress {
namespace {

constexpr unsigned match_length_max = 258;

template <unsigned root, std::size_t size>
DeflateEntry look_up(const std::array<DeflateEntry, size>& table, ForwardBits& bits) {
  DeflateEntry entry = table[bits.peek() & ((1u << root) - 1)];
  if (entry.kind() == DeflateEntry::Kind::second_table) {
    bits.drop(root);
    entry = table[entry.value() + (bits.peek() & ((1u << entry.extra()) - 1))];
  }
  bits.drop(entry.length());
  return entry;
}

}  // namespace

base::Result<std::size_t> Inflater::run(std::span<const std::uint8_t> input, OutputWindow& output) {
  ForwardBits bits{input};
  bool last = false;
  while (!last) {
    bits.refill();
    last = bits.take(1) != 0;
    switch (bits.take(2)) {
      case 0:
        TRY(stored_block(bits, output));
        break;
      case 1:
        TRY(fixed_codes());
        TRY(coded_block(bits, output));
        break;
      case 2:
        TRY(read_codes(bits));
        TRY(coded_block(bits, output));
        break;
      default:
        return base::error(base::Errno::einval);
    }
    if (bits.overrun()) return base::error(base::Errno::einval);
  }
  bits.align();
  return bits.position();
}

base::Result<void> Inflater::stored_block(ForwardBits& bits, OutputWindow& output) {
  if (bits.overrun()) return base::error(base::Errno::einval);
  bits.align();
  ByteReader reader{bits.rest()};
  auto size = TRY(reader.take<std::uint16_t>());
  auto inverted = TRY(reader.take<std::uint16_t>());
  if (size != static_cast<std::uint16_t>(~inverted)) return base::error(base::Errno::einval);
  TRY(output.put(TRY(reader.take_bytes(size))));
  bits.skip_bytes(reader.position());
  return {};
}

base::Result<void> Inflater::fixed_codes() {
  std::array<std::uint8_t, 288> lengths;
  for (unsigned i = 0; i < lengths.size(); ++i) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  TRY(build_deflate_table(literals_, literal_root, DeflateAlphabet::literals, lengths));
  std::array<std::uint8_t, 32> distance_lengths;
  distance_lengths.fill(5);
  return build_deflate_table(distances_, distance_root, DeflateAlphabet::distances, distance_lengths);
}

base::Result<void> Inflater::read_codes(ForwardBits& bits) {
  constexpr std::uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  bits.refill();
  unsigned literals = bits.take(5) + 257, distances = bits.take(5) + 1, code_lengths = bits.take(4) + 4;
  if (literals > 286 || distances > 30) return base::error(base::Errno::einval);
  std::array<std::uint8_t, 19> small{};
  for (unsigned i = 0; i < code_lengths; ++i) {
    if (i % 16 == 0) bits.refill();
    small[order[i]] = static_cast<std::uint8_t>(bits.take(3));
  }
  TRY(build_deflate_table(code_lengths_, code_length_root, DeflateAlphabet::code_lengths, small));

  std::array<std::uint8_t, 286 + 30 + 138> lengths{};
  for (unsigned at = 0; at < literals + distances;) {
    bits.refill();
    DeflateEntry entry = look_up<code_length_root>(code_lengths_, bits);
    if (entry.kind() != DeflateEntry::Kind::literal || bits.overrun())
      return base::error(base::Errno::einval);
    unsigned symbol = entry.value();
    if (symbol < 16) {
      lengths[at++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && at == 0) return base::error(base::Errno::einval);
    std::uint8_t repeated = symbol == 16 ? lengths[at - 1] : 0;
    unsigned times = symbol == 16 ? 3 + bits.take(2) : symbol == 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    if (at + times > literals + distances) return base::error(base::Errno::einval);
    while (times--) lengths[at++] = repeated;
  }
  if (lengths[256] == 0) return base::error(base::Errno::einval);
  std::span<const std::uint8_t> all{lengths};
  TRY(build_deflate_table(literals_, literal_root, DeflateAlphabet::literals, all.first(literals)));
  return build_deflate_table(distances_, distance_root, DeflateAlphabet::distances,
                             all.subspan(literals, distances));
}

base::Result<void> Inflater::coded_block(ForwardBits& bits, OutputWindow& output) {
  using Kind = DeflateEntry::Kind;
  for (;;) {
    TRY(output.make_room(match_length_max + 2));
    // 56 bits: two literals of at most 15, then a length of at most 20 with its extra bits.
    bits.refill();
    DeflateEntry entry = look_up<literal_root>(literals_, bits);
    if (entry.kind() == Kind::literal) {
      *output.position++ = static_cast<std::uint8_t>(entry.value());
      entry = look_up<literal_root>(literals_, bits);
      if (entry.kind() == Kind::literal) {
        *output.position++ = static_cast<std::uint8_t>(entry.value());
        if (bits.overrun()) [[unlikely]]
          return base::error(base::Errno::einval);
        continue;
      }
    }
    if (entry.kind() != Kind::copy) {
      if (entry.kind() == Kind::end) return {};
      return base::error(base::Errno::einval);
    }
    unsigned length = entry.value() + bits.take(entry.extra());
    bits.refill();
    entry = look_up<distance_root>(distances_, bits);
    if (entry.kind() != Kind::copy || bits.overrun()) [[unlikely]]
      return base::error(base::Errno::einval);
    std::size_t distance = entry.value() + bits.take(entry.extra());
    if (distance > output.reachable()) [[unlikely]]
      return base::error(base::Errno::einval);
    output.position = copy_match(output.position, distance, length);
  }
}

namespace {

template <typename Function>
auto with_inflater(Sink sink, Checksum* checksum, Function function) -> base::Result<std::size_t> {
  OutputWindow output{sink};
  TRY(output.allocate(Inflater::history, Inflater::chunk));
  output.set_checksum(checksum);
  auto inflater = TRY(base::try_make_unique<Inflater>());
  return function(*inflater, output);
}

}  // namespace

base::Result<std::size_t> inflate(std::span<const std::uint8_t> input, Sink sink) {
  return with_inflater(sink, nullptr,
                       [&](Inflater& inflater, OutputWindow& output) -> base::Result<std::size_t> {
                         std::size_t used = TRY(inflater.run(input, output));
                         TRY(output.flush());
                         return used;
                       });
}

// RFC 1952.
base::Result<std::size_t> decompress_gzip(std::span<const std::uint8_t> input, Sink sink) {
  enum : unsigned { header_crc = 2, extra_field = 4, file_name = 8, comment = 16, reserved = 0xe0 };
  ByteReader reader{input};
  if (TRY(reader.take<std::uint16_t>()) != 0x8b1f || TRY(reader.take<std::uint8_t>()) != 8)
    return base::error(base::Errno::einval);
  unsigned flags = TRY(reader.take<std::uint8_t>());
  if (flags & reserved) return base::error(base::Errno::einval);
  TRY(reader.skip(6));  // time, compression level, operating system
  if (flags & extra_field) TRY(reader.skip(TRY(reader.take<std::uint16_t>())));
  for (unsigned text : {unsigned{file_name}, unsigned{comment}})
    if (flags & text)
      while (TRY(reader.take<std::uint8_t>()) != 0) {
      }
  if (flags & header_crc) {
    auto expected = Crc32::of(input.first(reader.position())) & 0xffff;
    if (TRY(reader.take<std::uint16_t>()) != expected) return base::error(base::Errno::ebadmsg);
  }
  Crc32 crc;
  return with_inflater(sink, &crc,
                       [&](Inflater& inflater, OutputWindow& output) -> base::Result<std::size_t> {
                         TRY(reader.skip(TRY(inflater.run(reader.rest(), output))));
                         TRY(output.flush());
                         if (TRY(reader.take<std::uint32_t>()) != crc.value())
                           return base::error(base::Errno::ebadmsg);
                         if (TRY(reader.take<std::uint32_t>()) != static_cast<std::uint32_t>(output.total()))
                           return base::error(base::Errno::ebadmsg);
                         return reader.position();
                       });
}

// RFC 1950.
base::Result<std::size_t> decompress_zlib(std::span<const std::uint8_t> input, Sink sink) {
  ByteReader reader{input};
  unsigned method = TRY(reader.take<std::uint8_t>()), flags = TRY(reader.take<std::uint8_t>());
  if ((method & 15) != 8 || method >> 4 > 7 || (method << 8 | flags) % 31 != 0)
    return base::error(base::Errno::einval);
  if (flags & 0x20) return base::error(base::Errno::eopnotsupp);  // preset dictionary
  Adler32 adler;
  return with_inflater(sink, &adler,
                       [&](Inflater& inflater, OutputWindow& output) -> base::Result<std::size_t> {
                         TRY(reader.skip(TRY(inflater.run(reader.rest(), output))));
                         TRY(output.flush());
                         if (__builtin_bswap32(TRY(reader.take<std::uint32_t>())) != adler.value())
                           return base::error(base::Errno::ebadmsg);
                         return reader.position();
                       });
}

}  // namespace decompress
