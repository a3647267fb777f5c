#include "base/string.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace base {
namespace {

TEST(String, BehavesAsTheStandardOne) {
  std::mt19937 random(3);
  String ours;
  std::string theirs;
  for (int i = 0; i < 2000; ++i) {
    std::string piece(random() % 30, static_cast<char>('a' + random() % 26));
    if (random() % 50 == 0) {
      ours = String{};
      theirs.clear();
    } else if (random() % 3 == 0) {
      ASSERT_TRUE(ours.try_push_back('!'));
      theirs += '!';
    } else {
      ASSERT_TRUE(ours.try_append(piece));
      theirs += piece;
    }
    ASSERT_EQ(ours.view(), theirs);
    ASSERT_EQ(std::strlen(ours.c_str()), theirs.size());
    ASSERT_EQ(ours.empty(), theirs.empty());
  }
}

TEST(String, KeepsZeroBytesAndClones) {
  auto text = String::create(std::string_view("a\0b", 3));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), 3u);
  auto copy = text->try_clone();
  ASSERT_TRUE(copy);
  EXPECT_TRUE(*copy == text->view());
  EXPECT_NE(copy->c_str(), text->c_str());
  EXPECT_EQ(String::create("")->view(), "");
}

}  // namespace
}  // namespace base
