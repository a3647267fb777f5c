// Decompression of data of unknown origin: initramfs images, kernel modules, compressed file systems.
//
//   std::span<const std::uint8_t> image = ...;
//   std::size_t used = TRY(decompress::decompress(decompress::detect(image), image,
//       [&](std::span<const std::uint8_t> bytes) -> base::Result<void> { return store(bytes); }));
//   image = image.subspan(used);      // the next member begins here
//
// The input is in memory as a whole; the output is handed to the sink in pieces while it is produced, in
// order. One call decodes one gzip member, one zlib stream, one zstd or LZ4 frame, one xz stream. Skippable
// frames of zstd and LZ4 give no output.
//
// Memory: a window of the size the format demands plus a working area (deflate 128 KiB, LZ4 256 KiB, zstd and
// xz up to their window and half as much again, at most 128 MiB of window), freed on return. Kernel: thread
// context, may sleep.
//
// Every malformed input ends in an error, after any amount of output: nothing is read outside of the input,
// and no more than a bounded amount of work is done per byte of input and output.
//   einval      not in this format, truncated, or impossible contents
//   ebadmsg     a checksum, or a length the format records, does not match
//   eopnotsupp  valid, but needs something that is not here: a preset dictionary, an unknown filter
//   e2big       asks for a window above the limit
//   enomem      no memory;  other errors come from the sink and end the run
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/function_ref.h"
#include "base/result.h"

namespace decompress {

enum class Format : std::uint8_t { unknown, gzip, zlib, zstd, lz4, lz4_legacy, xz };

using Sink = base::FunctionRef<base::Result<void>(std::span<const std::uint8_t>)>;

// By the first bytes. zlib has no reliable mark and is never the answer.
Format detect(std::span<const std::uint8_t> input);
// "gzip", "zstd" and so on.
const char* name_of(Format format);

// Decodes one member and returns how many bytes of `input` it took. The end of an LZ4 legacy frame is not
// marked: it lasts until the input ends or something follows that cannot be a block.
base::Result<std::size_t> decompress(Format format, std::span<const std::uint8_t> input, Sink sink);

// A DEFLATE stream without any wrapping.
base::Result<std::size_t> inflate(std::span<const std::uint8_t> input, Sink sink);
// One block of LZ4 without a frame, which is all of the input and gives at most `limit` bytes.
base::Result<void> lz4_block(std::span<const std::uint8_t> input, std::size_t limit, Sink sink);

}  // namespace decompress
