#include <arch/checksum.h>

#include <cstring>

#include "aarch64/features.h"
#include "base/crc32c.h"

namespace arch {

// FEAT_CRC32: in every processor from version 8.1 of the architecture on, and in most before.
std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes) {
  if (!cpu_features().has_crc32()) return base::crc32c(state, bytes);
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  auto add = [&](std::size_t offset) {
    std::uint64_t word;
    std::memcpy(&word, at + offset, sizeof(word));
    // SAFETY: registers only; the CPU has it
    asm(".arch_extension crc\n crc32cx %w0, %w0, %x1" : "+r"(state) : "r"(word));
  };
  for (; left >= 64; at += 64, left -= 64)
    for (std::size_t i = 0; i < 64; i += 8) add(i);
  for (; left >= 8; at += 8, left -= 8) add(0);
  for (; left; ++at, --left)
    asm(".arch_extension crc\n crc32cb %w0, %w0, %w1" : "+r"(state) : "r"(*at));  // SAFETY: as above
  return state;
}

}  // namespace arch
