#include "base/crc32c.h"

#include <array>
#include <cstring>

namespace base {

namespace {
// table[k][b]: the effect of byte b followed by k zero bytes.
struct Tables {
  std::array<std::array<std::uint32_t, 256>, 8> table{};
  consteval Tables() {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t state = byte;
      for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? crc32c_polynomial_reflected : 0);
      table[0][byte] = state;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t byte = 0; byte < 256; ++byte)
        table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xff];
  }
};
constexpr Tables tables;
}  // namespace

std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes) {
  const auto& t = tables.table;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint32_t low, high;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + 4, 4);
    low ^= state;
    state = t[7][low & 0xff] ^ t[6][low >> 8 & 0xff] ^ t[5][low >> 16 & 0xff] ^ t[4][low >> 24] ^
            t[3][high & 0xff] ^ t[2][high >> 8 & 0xff] ^ t[1][high >> 16 & 0xff] ^ t[0][high >> 24];
  }
  for (; left; ++at, --left) state = state >> 8 ^ t[0][(state ^ static_cast<std::uint32_t>(*at)) & 0xff];
  return state;
}

}  // namespace base
