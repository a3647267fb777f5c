#include <arch/checksum.h>

#include <cstring>

#include "base/crc32c.h"
#include "riscv64/features.h"

namespace arch {

namespace {

// The quotient of x^96 and the polynomial, reflected: bit i is the coefficient of x^(64 - i). That of x^0 has
// no bit; it would change nothing below.
consteval std::uint64_t reflected_quotient() {
  constexpr std::uint64_t polynomial = 0x1'1edc'6f41;  // not reflected
  std::uint64_t remainder = std::uint64_t{1} << 32, quotient = 0;
  for (int i = 0; i < 64; ++i, remainder <<= 1) {
    if (!(remainder >> 32 & 1)) continue;
    quotient |= std::uint64_t{1} << i;
    remainder ^= polynomial;
  }
  return quotient;
}

}  // namespace

// With the multiplication of polynomials (Zbc) by Barrett's method: the quotient of eight bytes and the
// polynomial is a product with a constant, the remainder another one.
std::uint32_t crc32c(std::uint32_t state, std::span<const std::byte> bytes) {
  if (!cpu_features().zbc) return base::crc32c(state, bytes);
  constexpr std::uint64_t inverse = reflected_quotient();
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = state;
  auto add = [&](std::size_t offset) {
    std::uint64_t word, quotient;
    std::memcpy(&word, at + offset, sizeof(word));
    word ^= static_cast<std::uint32_t>(wide);
    // SAFETY: registers only; the CPU has both (clmul and clmulr: opcode OP, funct7 5)
    asm(".insn r 0x33, 1, 5, %0, %1, %2" : "=r"(quotient) : "r"(word), "r"(inverse));
    asm(".insn r 0x33, 2, 5, %0, %1, %2"
        : "=r"(wide)
        : "r"(quotient), "r"(std::uint64_t{base::crc32c_polynomial_reflected}));
  };
  for (; left >= 64; at += 64, left -= 64)
    for (std::size_t i = 0; i < 64; i += 8) add(i);
  for (; left >= 8; at += 8, left -= 8) add(0);
  return base::crc32c(static_cast<std::uint32_t>(wide), {at, left});
}

}  // namespace arch
