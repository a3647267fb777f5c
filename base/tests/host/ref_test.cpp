#include "base/ref.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace base {
namespace {

struct Thing : RefCounted<Thing> {
  explicit Thing(int number) : value(number) { ++alive; }
  virtual ~Thing() { --alive; }
  int value;
  static inline std::atomic<int> alive = 0;
};
struct Special final : Thing {
  Special() : Thing(7) {}
};

TEST(RefPtr, CountsReferences) {
  {
    auto thing = try_make_ref<Thing>(3);
    ASSERT_TRUE(thing);
    EXPECT_EQ((*thing)->reference_count(), 1u);
    RefPtr<Thing> second = *thing;
    RefPtr<Thing> third(second.get());
    EXPECT_EQ(second->reference_count(), 3u);
    RefPtr<Thing> moved = std::move(second);
    EXPECT_FALSE(second);  // NOLINT: what is left of it is promised
    EXPECT_EQ(moved->reference_count(), 3u);
    RefPtr<Thing>& same = moved;
    moved = same;  // to itself
    EXPECT_EQ(moved->value, 3);
    third = nullptr;
    EXPECT_EQ(moved->reference_count(), 2u);
    Thing* raw = moved.leak();
    EXPECT_EQ(raw->reference_count(), 2u);
    RefPtr<Thing>::adopt(raw);
    EXPECT_EQ((*thing)->reference_count(), 1u);
  }
  EXPECT_EQ(Thing::alive, 0);
}

TEST(RefPtr, ConvertsToBases) {
  RefPtr<Special> special = *try_make_ref<Special>();
  RefPtr<Thing> thing = special;
  EXPECT_TRUE(thing == special.get());
  RefPtr<Thing> moved = std::move(special);
  EXPECT_EQ(moved->reference_count(), 2u);
}

struct Owned : RefCounted<Owned> {
  void last_reference_dropped() { ++dropped; }
  int dropped = 0;
};

TEST(RefPtr, HandsDeadObjectsToTheirOwner) {
  Owned object;
  RefPtr<Owned>::adopt(&object);
  EXPECT_EQ(object.dropped, 1);
  EXPECT_FALSE(RefPtr<Owned>::try_acquire(&object));
  EXPECT_FALSE(RefPtr<Owned>::try_acquire(nullptr));
}

// Many threads share one object and only the last destroys it.
TEST(RefPtr, IsSafeAcrossThreads) {
  for (int round = 0; round < 50; ++round) {
    RefPtr<Thing> thing = *try_make_ref<Thing>(round);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([copy = thing] {
        for (int n = 0; n < 1000; ++n) {
          RefPtr<Thing> mine = copy;
          RefPtr<Thing> found = RefPtr<Thing>::try_acquire(mine.get());
          EXPECT_TRUE(found);
        }
      });
    thing = nullptr;
    for (auto& thread : threads) thread.join();
    threads.clear();
    EXPECT_EQ(Thing::alive, 0);
  }
}

TEST(UniquePointer, IsMadeFallibly) {
  auto number = try_make_unique<int>(5);
  ASSERT_TRUE(number);
  EXPECT_EQ(**number, 5);
}

}  // namespace
}  // namespace base
