// Checksums for which processors have instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace arch {

// base::crc32c(), at the speed of this processor. Any context.
std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes);

}  // namespace arch
