// The ChaCha20 block function (RFC 8439, section 2.3).
#pragma once

#include <cstdint>

namespace core {

constexpr void chacha_quarter(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c, std::uint32_t& d) {
  auto rotate = [](std::uint32_t value, int bits) { return value << bits | value >> (32 - bits); };
  a += b;
  d = rotate(d ^ a, 16);
  c += d;
  b = rotate(b ^ c, 12);
  a += b;
  d = rotate(d ^ a, 8);
  c += d;
  b = rotate(b ^ c, 7);
}

// `input`: four constants, eight words of key, counter and nonce.
constexpr void chacha_block(const std::uint32_t (&input)[16], std::uint32_t (&output)[16]) {
  for (int i = 0; i < 16; ++i) output[i] = input[i];
  for (int round = 0; round < 10; ++round) {
    auto& x = output;
    chacha_quarter(x[0], x[4], x[8], x[12]);
    chacha_quarter(x[1], x[5], x[9], x[13]);
    chacha_quarter(x[2], x[6], x[10], x[14]);
    chacha_quarter(x[3], x[7], x[11], x[15]);
    chacha_quarter(x[0], x[5], x[10], x[15]);
    chacha_quarter(x[1], x[6], x[11], x[12]);
    chacha_quarter(x[2], x[7], x[8], x[13]);
    chacha_quarter(x[3], x[4], x[9], x[14]);
  }
  for (int i = 0; i < 16; ++i) output[i] += input[i];
}

}  // namespace core
