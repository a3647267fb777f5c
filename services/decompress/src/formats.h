// The decoders behind decompress().
#pragma once

#include "decompress/decompress.h"

namespace decompress {

base::Result<std::size_t> decompress_gzip(std::span<const std::uint8_t> input, Sink sink);
base::Result<std::size_t> decompress_zlib(std::span<const std::uint8_t> input, Sink sink);
base::Result<std::size_t> decompress_zstd(std::span<const std::uint8_t> input, Sink sink);
base::Result<std::size_t> decompress_lz4(std::span<const std::uint8_t> input, Sink sink);
base::Result<std::size_t> decompress_lz4_legacy(std::span<const std::uint8_t> input, Sink sink);
base::Result<std::size_t> decompress_xz(std::span<const std::uint8_t> input, Sink sink);

// Frames that zstd and LZ4 decoders pass over: 0x184D2A50 to 0x184D2A5F.
inline constexpr bool is_skippable_magic(std::uint32_t magic) { return (magic & ~0xfu) == 0x184d2a50u; }

// The largest window that memory is given for.
inline constexpr std::size_t window_max = std::size_t{128} << 20;

}  // namespace decompress
