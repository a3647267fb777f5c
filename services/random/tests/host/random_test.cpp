#include "random/random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

TEST(ChaCha20, BlockOfRfc8439) {
  // Section 2.3.2.
  const std::uint32_t key[8] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
  const std::uint32_t nonce[3] = {0x09000000, 0x4a000000, 0x00000000};
  std::uint32_t out[16];
  random_numbers::chacha20_block(key, 1, nonce, out);
  EXPECT_EQ(out[0], 0xe4e7f110u);
  EXPECT_EQ(out[15], 0x4e3c50a2u);
}

TEST(Random, DoesNotRepeat) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(seen.insert(random_numbers::number()).second);
  std::vector<std::byte> many(1000);
  random_numbers::fill(many);
  int bits = 0;
  for (std::byte b : many) bits += __builtin_popcount(std::to_integer<unsigned>(b));
  EXPECT_NEAR(bits, 4000, 400);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random_numbers::below(7), 7u);
}
