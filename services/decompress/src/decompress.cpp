#include "decompress/decompress.h"

#include "bytes.h"
#include "formats.h"

namespace decompress {

Format detect(std::span<const std::uint8_t> input) {
  if (input.size() >= 6 && input[0] == 0xfd && load<std::uint32_t>(input.data() + 1) == 0x5a587a37u &&
      input[5] == 0)
    return Format::xz;
  if (input.size() >= 4) {
    auto magic = load<std::uint32_t>(input.data());
    if (magic == 0xfd2fb528u || is_skippable_magic(magic)) return Format::zstd;
    if (magic == 0x184d2204u) return Format::lz4;
    if (magic == 0x184c2102u) return Format::lz4_legacy;
  }
  if (input.size() >= 3 && input[0] == 0x1f && input[1] == 0x8b && input[2] == 8) return Format::gzip;
  return Format::unknown;
}

const char* name_of(Format format) {
  switch (format) {
    case Format::gzip:
      return "gzip";
    case Format::zlib:
      return "zlib";
    case Format::zstd:
      return "zstd";
    case Format::lz4:
      return "lz4";
    case Format::lz4_legacy:
      return "lz4 (legacy)";
    case Format::xz:
      return "xz";
    case Format::unknown:
      break;
  }
  return "unknown";
}

base::Result<std::size_t> decompress(Format format, std::span<const std::uint8_t> input, Sink sink) {
  switch (format) {
    case Format::gzip:
      return decompress_gzip(input, sink);
    case Format::zlib:
      return decompress_zlib(input, sink);
    case Format::zstd:
      return decompress_zstd(input, sink);
    case Format::lz4:
      return decompress_lz4(input, sink);
    case Format::lz4_legacy:
      return decompress_lz4_legacy(input, sink);
    case Format::xz:
      return decompress_xz(input, sink);
    case Format::unknown:
      break;
  }
  return base::error(base::Errno::einval);
}

}  // namespace decompress
