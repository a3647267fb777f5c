#include "base/format.h"

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

template <typename... Arguments>
std::string text_of(FormatText<std::type_identity_t<Arguments>...> text, const Arguments&... arguments) {
  char memory[200];
  TextBuffer buffer{memory};
  format(buffer, text, arguments...);
  return std::string(buffer.view());
}

TEST(Format, PrintsNumbersInEachBase) {
  EXPECT_EQ(text_of("{} {} {:x} {:#x} {:o}", 42, -7, 255u, 4096u, 8u), "42 -7 ff 0x1000 10");
  EXPECT_EQ(text_of("{:X} {:04X} {:#X}", 0xbeefu, 0x2au, 0xau), "BEEF 002A 0xA");
  EXPECT_EQ(text_of("{}", INT64_MIN), "-9223372036854775808");
}

TEST(Format, PadsLeftRightAndWithZeroes) {
  EXPECT_EQ(text_of("{:>5}|{:<5}|{:05}|{:016x}", 42, 42, -42, 0xabcu), "   42|42   |-0042|0000000000000abc");
  EXPECT_EQ(text_of("{:<8}|{:>8}", "name", std::string_view("x")), "name    |       x");
}

TEST(Format, EscapesBracesAndPrintsTheRest) {
  EXPECT_EQ(text_of("{{{}}} {} {}", 1, true, 'c'), "{1} true c");
  EXPECT_EQ(text_of("plain"), "plain");
}

TEST(Format, TruncationIsRemembered) {
  char memory[4];
  TextBuffer buffer{memory};
  format(buffer, "{}", 123456);
  EXPECT_EQ(buffer.view(), "1234");
  EXPECT_TRUE(buffer.truncated());
}

}  // namespace
}  // namespace base
