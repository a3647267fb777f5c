// The processor's instruction against the tables.
#include <arch/checksum.h>

#include "base/crc32c.h"
#include "core/test/test.h"

using core::test::expect_equal;

KERNEL_TEST(checksum, crc32c_is_that_of_the_tables) {
  std::byte bytes[200];
  std::uint32_t number = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((number = number * 1664525 + 1013904223) >> 24);
  for (std::size_t from : {0, 1, 3, 7})
    for (std::size_t size = 0; from + size <= sizeof(bytes); ++size) {
      std::span<const std::byte> part(bytes + from, size);
      expect_equal(arch::crc32c(0x12345678 + number, part), base::crc32c(0x12345678 + number, part));
    }
}
