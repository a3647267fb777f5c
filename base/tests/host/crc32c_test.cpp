#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace base {
namespace {

std::uint32_t inverted(std::span<const std::byte> bytes) { return ~crc32c(~0u, bytes); }

// RFC 3720, appendix B.4, and the check value of the catalogues of CRCs.
TEST(Crc32c, PublishedValues) {
  std::string_view digits = "123456789";
  EXPECT_EQ(inverted(std::as_bytes(std::span(digits))), 0xe3069283u);
  std::vector<std::byte> bytes(32);
  EXPECT_EQ(inverted(bytes), 0x8a9136aau);
  for (std::byte& byte : bytes) byte = std::byte{0xff};
  EXPECT_EQ(inverted(bytes), 0x62a8ab43u);
  for (unsigned i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(inverted(bytes), 0x46dd794eu);
}

TEST(Crc32c, ContinuesWhereItStopped) {
  std::vector<std::byte> bytes(100);
  for (unsigned i = 0; i < 100; ++i) bytes[i] = static_cast<std::byte>(i * 37);
  std::span<const std::byte> all(bytes);
  for (std::size_t cut = 0; cut <= 100; ++cut)
    EXPECT_EQ(crc32c(crc32c(7, all.first(cut)), all.subspan(cut)), crc32c(7, all));
}

}  // namespace
}  // namespace base
