#include "core/init/command_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace core {
namespace {

std::vector<std::string> words(std::string_view text) {
  CommandLine line{text};
  std::vector<std::string> all;
  line.for_each_word([&](const CommandLineWord& word) {
    all.push_back(std::string(word.name) + (word.value ? "=" + std::string(*word.value) : ""));
    return true;
  });
  return all;
}
std::vector<std::string> init_arguments(std::string_view text) {
  CommandLine line{text};
  std::vector<std::string> all;
  line.for_each_init_argument([&](std::string_view word) { all.emplace_back(word); });
  return all;
}
std::vector<std::string> init_variables(std::string_view text) {
  CommandLine line{text};
  std::vector<std::string> all;
  line.for_each_init_variable([&](std::string_view name, std::string_view value) {
    all.push_back(std::string(name) + "=" + std::string(value));
  });
  return all;
}
using Words = std::vector<std::string>;

TEST(CommandLine, SplitsAtWhiteSpace) {
  EXPECT_EQ(words("  root=/dev/vda\tquiet\n console=ttyS0 "),
            (Words{"root=/dev/vda", "quiet", "console=ttyS0"}));
  EXPECT_EQ(words(""), Words{});
  EXPECT_EQ(words("   "), Words{});
}

TEST(CommandLine, QuotesKeepSpaces) {
  EXPECT_EQ(words(R"(a="b c" d)"), (Words{"a=b c", "d"}));
  EXPECT_EQ(words(R"("a=b c" d)"), (Words{"a=b c", "d"}));
  EXPECT_EQ(words(R"(a=b" "c d)"), (Words{R"(a=b" "c)", "d"}));
  EXPECT_EQ(words(R"("x y"=z)"), (Words{R"(x y"=z)"}));
  EXPECT_EQ(words(R"(a="unclosed b c)"), (Words{"a=unclosed b c"}));
  EXPECT_EQ(words(R"(")"), (Words{""}));
  EXPECT_EQ(words(R"(a=")"), (Words{"a="}));
}

TEST(CommandLine, EqualsSignsAfterTheFirstBelongToTheValue) {
  EXPECT_EQ(words("root=UUID=12-34"), (Words{"root=UUID=12-34"}));
  EXPECT_EQ(words("=x a= b"), (Words{"=x", "a=", "b"}));
}

TEST(CommandLine, FindsLastValueAndAllValues) {
  CommandLine line{"console=tty0 mem=512M console=ttyS0,115200 nokaslr loglevel=0x7 panic=-1"};
  EXPECT_EQ(line.get("console"), "ttyS0,115200");
  std::vector<std::string> all;
  line.for_each_value("console", [&](std::string_view value) { all.emplace_back(value); });
  EXPECT_EQ(all, (Words{"tty0", "ttyS0,115200"}));
  EXPECT_EQ(line.get_size("mem"), 512u << 20);
  EXPECT_EQ(line.get_number("loglevel"), 7u);
  EXPECT_EQ(line.get_signed("panic"), -1);
  EXPECT_TRUE(line.has("nokaslr"));
  EXPECT_EQ(line.get("nokaslr"), "");
  EXPECT_FALSE(line.get("kaslr").has_value());
  EXPECT_EQ(line.get_number("console"), std::nullopt);
}

TEST(CommandLine, DashesAndUnderscoresAreTheSameInNames) {
  CommandLine line{"ignore-loglevel log_buf-len=1M"};
  EXPECT_TRUE(line.get_flag("ignore_loglevel", false));
  EXPECT_EQ(line.get_size("log_buf_len"), 1u << 20);
}

TEST(CommandLine, FlagsAreSpelledInManyWays) {
  CommandLine line{"a b=1 c=y d=on e=0 f=N g=off h=perhaps"};
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_TRUE(line.get_flag(name, false)) << name;
  for (const char* name : {"e", "f", "g"}) EXPECT_FALSE(line.get_flag(name, true)) << name;
  EXPECT_TRUE(line.get_flag("h", true));
  EXPECT_FALSE(line.get_flag("h", false));
}

TEST(CommandLine, WordsAfterTheSeparatorAreNotForTheKernel) {
  CommandLine line{"a=1 -- a=2 b"};
  EXPECT_EQ(line.get("a"), "1");
  EXPECT_FALSE(line.has("b"));
}

TEST(CommandLine, PassesUnknownWordsToTheFirstProgram) {
  std::string_view text =
      "root=/dev/vda single SHELL=/bin/sh quiet nos.test=x module.option BOOT_IMAGE=/k -- -x quiet k=v";
  EXPECT_EQ(init_arguments(text), (Words{"single", "-x", "quiet", "k=v"}));
  EXPECT_EQ(init_variables(text), (Words{"SHELL=/bin/sh", "BOOT_IMAGE=/k"}));
}

TEST(CommandLine, NamingTheFirstProgramForgetsEarlierArguments) {
  EXPECT_EQ(init_arguments("early init=/bin/sh late -- after"), (Words{"late", "after"}));
  EXPECT_EQ(init_arguments("early rdinit=/bin/sh late"), (Words{"late"}));
}

TEST(CommandLine, CutsAtTheLastWholeWord) {
  std::string text(command_line_max - 4, 'x');
  text += " abc defghi";
  CommandLine line{text};
  EXPECT_EQ(line.text().size(), command_line_max);
  EXPECT_TRUE(line.has("abc"));
  text = std::string(command_line_max - 4, 'x') + " abcd";
  line.set(text);
  EXPECT_EQ(line.text().size(), command_line_max - 4);
}

}  // namespace
}  // namespace core
