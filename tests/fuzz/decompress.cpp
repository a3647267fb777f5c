// Any bytes to every decoder: by their magic number, else as a bare DEFLATE stream and a zlib stream.
#include <cstddef>
#include <cstdint>
#include <span>

#include "decompress/decompress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> input{data, size};
  std::size_t total = 0;
  auto sink = [&](std::span<const std::uint8_t> bytes) -> base::Result<void> {
    total += bytes.size();
    std::uint8_t sum = 0;
    for (std::uint8_t byte : bytes) sum ^= byte;  // the sanitizer sees the reads
    asm volatile("" : : "r"(sum));
    if (total > (1u << 20)) return base::error(base::Errno::efbig);
    return {};
  };
  decompress::Format format = decompress::detect(input);
  if (format != decompress::Format::unknown) {
    auto used = decompress::decompress(format, input, sink);
    if (used && *used > size) __builtin_trap();
    return 0;
  }
  (void)decompress::inflate(input, sink);
  (void)decompress::decompress(decompress::Format::zlib, input, sink);
  return 0;
}
