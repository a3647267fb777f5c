#include "chacha.h"

#include <gtest/gtest.h>

// RFC 8439, section 2.3.2.
TEST(ChaCha, BlockOfTheRfc) {
  std::uint32_t input[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100, 0x07060504,
                             0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
                             0x00000001, 0x09000000, 0x4a000000, 0x00000000};
  std::uint32_t output[16];
  core::chacha_block(input, output);
  EXPECT_EQ(output[0], 0xe4e7f110u);
  EXPECT_EQ(output[15], 0x4e3c50a2u);
}
