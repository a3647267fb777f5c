#include "base/vector.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace base {
namespace {

// Knows how many of its kind are alive.
struct Counted {
  static inline int alive = 0;
  std::unique_ptr<int> value;
  explicit Counted(int number = 0) : value(std::make_unique<int>(number)) { ++alive; }
  Counted(Counted&& other) noexcept : value(std::move(other.value)) { ++alive; }
  Counted& operator=(Counted&&) = default;
  ~Counted() { --alive; }
};

// The same random operations on ours and on the standard one.
TEST(Vector, BehavesAsTheStandardOne) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    Vector<Counted> ours;
    std::vector<int> theirs;
    for (int step = 0; step < 400; ++step) {
      int number = static_cast<int>(random());
      switch (random() % 8) {
        case 0:
        case 1:
        case 2:
          ASSERT_TRUE(ours.try_emplace_back(number));
          theirs.push_back(number);
          break;
        case 3:
          ASSERT_TRUE(ours.try_push_back(Counted(number)));
          theirs.push_back(number);
          break;
        case 4:
          if (theirs.empty()) break;
          ours.pop_back();
          theirs.pop_back();
          break;
        case 5: {
          if (theirs.empty()) break;
          std::size_t at = random() % theirs.size();
          ours.erase(at);
          theirs.erase(theirs.begin() + static_cast<long>(at));
          break;
        }
        case 6: {
          std::size_t size = random() % 40;
          ASSERT_TRUE(ours.try_resize(size));
          theirs.resize(size);
          break;
        }
        default: {
          Vector<Counted> moved(std::move(ours));
          EXPECT_TRUE(ours.empty());  // NOLINT: what is left of it is promised
          ours = std::move(moved);
        }
      }
      ASSERT_EQ(ours.size(), theirs.size());
      ASSERT_GE(ours.capacity(), ours.size());
      for (std::size_t i = 0; i < theirs.size(); ++i) ASSERT_EQ(*ours[i].value, theirs[i]);
    }
    EXPECT_EQ(Counted::alive, static_cast<int>(ours.size()));
  }
  EXPECT_EQ(Counted::alive, 0);
}

TEST(Vector, AppendsSpansAndItself) {
  Vector<int> values;
  const int some[] = {1, 2, 3};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(values.try_append(some));
  EXPECT_EQ(values.size(), 300u);
  EXPECT_EQ(values[299], 3);
  ASSERT_TRUE(values.try_append({}));
  int sum = 0;
  for (int value : values) sum += value;
  EXPECT_EQ(sum, 600);
}

TEST(Vector, RefusesImpossibleSizes) {
  Vector<long> values;
  EXPECT_EQ(values.try_reserve(~std::size_t{0} / 4).error(), Errno::enomem);
  EXPECT_TRUE(values.empty());
}

TEST(VectorDeathTest, ChecksIndices) {
  Vector<int> values;
  EXPECT_DEATH(values[0] = 1, "index past the end");
  EXPECT_DEATH(values.pop_back(), "pop_back of an empty vector");
}

TEST(StaticVector, FillsUpAndEmpties) {
  {
    StaticVector<Counted, 5> values;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(values.try_emplace_back(i));
    EXPECT_TRUE(values.full());
    EXPECT_EQ(values.try_emplace_back(5).error(), Errno::enospc);
    values.pop_back();
    ASSERT_TRUE(values.try_push_back(Counted(9)));
    EXPECT_EQ(*values.back().value, 9);
    EXPECT_EQ(Counted::alive, 5);
  }
  EXPECT_EQ(Counted::alive, 0);
}

}  // namespace
}  // namespace base
