#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "base/bits.h"
#include "base/function_ref.h"
#include "base/parse.h"
#include "base/result.h"

namespace base {
namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

TEST(Bits, AlignsAsDivisionSays) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    std::uint64_t value = random() >> (1 + random() % 60), alignment = std::uint64_t{1} << (random() % 16);
    EXPECT_EQ(align_down(value, alignment), value / alignment * alignment);
    EXPECT_EQ(align_up(value, alignment), (value + alignment - 1) / alignment * alignment);
    EXPECT_EQ(is_aligned(value, alignment), value % alignment == 0);
    EXPECT_EQ(divide_round_up(value, alignment), value / alignment + (value % alignment ? 1 : 0));
    EXPECT_TRUE(is_power_of_two(alignment));
  }
  EXPECT_FALSE(is_power_of_two(0u));
  EXPECT_FALSE(is_power_of_two(12u));
  EXPECT_EQ(divide_round_up(largest, std::uint64_t{2}), largest / 2 + 1);
}

TEST(Bits, ChecksOverflow) {
  EXPECT_EQ(checked_add(largest, std::uint64_t{1}), std::nullopt);
  EXPECT_EQ(checked_add(largest - 1, std::uint64_t{1}), largest);
  EXPECT_EQ(checked_add(std::numeric_limits<int>::min(), -1), std::nullopt);
  EXPECT_EQ(checked_multiply(std::uint64_t{1} << 32, std::uint64_t{1} << 32), std::nullopt);
  EXPECT_EQ(checked_multiply(std::uint64_t{1} << 31, std::uint64_t{1} << 32), std::uint64_t{1} << 63);
}

TEST(Parse, ReadsWhatWasPrinted) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 10000; ++i) {
    std::uint64_t value = random() >> (random() % 64);
    char hexadecimal[32], octal[32];
    std::snprintf(hexadecimal, sizeof(hexadecimal), i % 2 ? "%lx" : "%lX", value);
    std::snprintf(octal, sizeof(octal), "%#lo", value);
    EXPECT_EQ(parse_unsigned(std::to_string(value)), value);
    EXPECT_EQ(parse_unsigned(hexadecimal, 16), value);
    EXPECT_EQ(parse_c_number("0x" + std::string(hexadecimal)), value);
    EXPECT_EQ(parse_c_number(octal), value);
  }
}

TEST(Parse, RefusesEverythingElse) {
  for (const char* text :
       {"", " 1", "1 ", "+1", "-1", "1a", "0x1", "18446744073709551616", "99999999999999999999999"})
    EXPECT_EQ(parse_unsigned(text), std::nullopt) << text;
  EXPECT_EQ(parse_unsigned("18446744073709551615"), largest);
  EXPECT_EQ(parse_unsigned("10000000000000000", 16), std::nullopt);
  EXPECT_EQ(parse_c_number("0x"), std::nullopt);
  EXPECT_EQ(parse_c_number("08"), std::nullopt);
  EXPECT_EQ(parse_c_number("0"), 0u);
  EXPECT_EQ(parse_c_number("0X1f"), 31u);
}

TEST(Parse, ReadsSizes) {
  EXPECT_EQ(parse_size("512M"), 512u << 20);
  EXPECT_EQ(parse_size("4k"), 4096u);
  EXPECT_EQ(parse_size("0x10G"), std::uint64_t{16} << 30);
  EXPECT_EQ(parse_size("2T"), std::uint64_t{2} << 40);
  EXPECT_EQ(parse_size("123"), 123u);
  for (const char* text : {"", "K", "1KK", "16777216T", "1.5G", "-1K"})
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

Result<int> half(int value) {
  if (value % 2) return error(Errno::einval);
  return value / 2;
}
Result<void> eighth(int value, int& result) {
  int first = TRY(half(value));
  result = TRY(half(TRY(half(first))));
  return {};
}

TEST(Result, TryLeavesAtTheFirstError) {
  int result = 0;
  EXPECT_TRUE(eighth(24, result));
  EXPECT_EQ(result, 3);
  EXPECT_EQ(eighth(12, result).error(), Errno::einval);
  EXPECT_EQ(result, 3);
}

TEST(FunctionRef, CallsWhatItRefersTo) {
  int calls = 0;
  auto count = [&](int by) { return calls += by; };
  FunctionRef<int(int)> reference = count;
  EXPECT_EQ(reference(2), 2);
  FunctionRef<int(int)> copy = reference;
  EXPECT_EQ(copy(3), 5);
}

}  // namespace
}  // namespace base
