// The Castagnoli CRC, as ext4 and jbd2 use it: no inversion at the start or the end, the caller carries the
// state.
#pragma once

#include <arch/checksum.h>

#include <cstdint>
#include <span>

namespace ext4 {

using arch::crc32c;
template <typename T>
std::uint32_t crc32c_of(std::uint32_t state, const T& value) {
  return crc32c(state, std::as_bytes(std::span(&value, 1)));
}

}  // namespace ext4
