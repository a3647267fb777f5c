// What a console device may say, and what it may not.
#include "control.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace virtio_console {
namespace {

std::vector<std::byte> message(std::uint32_t port, unsigned event, unsigned value,
                               const std::string& rest = "") {
  ControlMessage header{port, static_cast<std::uint16_t>(event), static_cast<std::uint16_t>(value)};
  std::vector<std::byte> bytes(sizeof(header) + rest.size());
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), rest.data(), rest.size());
  return bytes;
}

TEST(ConsoleControl, ReadsMessages) {
  auto opened = parse_control(message(3, 6, 1), 4);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->event, ControlEvent::port_open);
  EXPECT_EQ(opened->port, 3u);
  EXPECT_EQ(opened->value, 1u);
  auto bytes = message(1, 7, 1, std::string("org.qemu.agent\0junk", 19));
  auto named = parse_control(bytes, 4);
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->name, "org.qemu.agent");
  auto resized = parse_control(message(0, 5, 0, std::string("\x50\0\x18\0", 4)), 4);
  ASSERT_TRUE(resized.has_value());
  EXPECT_EQ(resized->columns, 80u);
  EXPECT_EQ(resized->rows, 24u);
}

TEST(ConsoleControl, RefusesTheRest) {
  EXPECT_FALSE(parse_control(message(4, 1, 1), 4).has_value());  // a port beyond the device's
  EXPECT_FALSE(parse_control(message(~0u, 1, 1), 4).has_value());
  EXPECT_FALSE(parse_control(message(0, 8, 1), 4).has_value());         // an event we do not know
  EXPECT_FALSE(parse_control(message(0, 5, 0, "abc"), 4).has_value());  // a size cut short
  for (unsigned size = 0; size < 8; ++size) {
    auto bytes = message(0, 1, 1);
    bytes.resize(size);
    EXPECT_FALSE(parse_control(bytes, 4).has_value());
  }
}

TEST(ConsoleControl, SurvivesNoise) {
  std::mt19937 random(1);
  for (unsigned round = 0; round < 200'000; ++round) {
    std::vector<std::byte> bytes(random() % 40);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % (random() % 2 ? 9 : 256));
    if (auto parsed = parse_control(bytes, 31)) {
      EXPECT_LT(parsed->port, 31u);
      EXPECT_LE(parsed->name.size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace virtio_console
