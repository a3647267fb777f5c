// The Castagnoli CRC (polynomial 0x1edc6f41, reflected; RFC 3720, appendix B.4) without the inversions at the
// start and the end: the caller carries the state, crc32c(crc32c(s, a), b) == crc32c(s, a followed by b).
// Eight bytes at a time, from tables; arch::crc32c() uses the processor's instruction where there is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

inline constexpr std::uint32_t crc32c_polynomial_reflected = 0x82f63b78;

std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes);

}  // namespace base
