// The hash of a name in an indexed directory: half MD4, TEA, or the one of the first days.
#pragma once

#include <cstdint>
#include <string_view>

namespace ext4 {

enum class HashVersion : std::uint8_t { legacy = 0, half_md4 = 1, tea = 2 };
enum class HashCharacters : std::uint8_t { are_signed, are_unsigned };

// Even, and below the value that stands for the end.
std::uint32_t directory_hash(std::string_view name, HashVersion version, HashCharacters characters,
                             const std::uint32_t (&seed)[4]);

}  // namespace ext4
