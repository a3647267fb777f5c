#include <arch/checksum.h>

#include <cstring>

#include "base/crc32c.h"
#include "x86_64/features.h"

namespace arch {

// SSE 4.2 has it for general registers, so the state of the vector unit does not matter.
std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes) {
  if (!cpu_features().crc32) return base::crc32c(state, bytes);
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = state;
  auto add = [&](std::size_t offset) {
    std::uint64_t word;
    std::memcpy(&word, at + offset, sizeof(word));
    asm("crc32q %1, %0" : "+r"(wide) : "r"(word));  // SAFETY: registers only; the CPU has it
  };
  for (; left >= 64; at += 64, left -= 64)
    for (std::size_t i = 0; i < 64; i += 8) add(i);
  for (; left >= 8; at += 8, left -= 8) add(0);
  for (; left; ++at, --left) asm("crc32b %1, %0" : "+r"(wide) : "r"(*at));  // SAFETY: as above
  return static_cast<std::uint32_t>(wide);
}

}  // namespace arch
