#include "buddy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "page_internal.h"

namespace core {
namespace {

class BuddyTest : public testing::Test {
 protected:
  static constexpr std::uint64_t pages = 5000;
  void SetUp() override {
    map_.reset(static_cast<Page*>(std::calloc(pages, sizeof(Page))));
    presence_.assign(pages / 128 / 64 + 1, ~std::uint64_t{0});
    memory_map = map_.get();
    memory_map_end = pages;
    memory_map_presence = presence_.data();
    buddy_.set_bounds(0, pages);
  }
  struct Free {
    void operator()(Page* p) const { std::free(p); }
  };
  std::unique_ptr<Page, Free> map_;
  std::vector<std::uint64_t> presence_;
  Buddy buddy_;
};

TEST_F(BuddyTest, JoinsEverythingAgainAfterRandomUse) {
  buddy_.give_range(3, 4800);
  ASSERT_EQ(buddy_.free_pages(), 4797u);
  std::vector<std::uint64_t> blocks_before;
  for (unsigned order = 0; order <= max_page_order; ++order)
    blocks_before.push_back(buddy_.free_blocks(order));

  std::mt19937 random(3);
  std::map<std::uint64_t, unsigned> owned;  // first page -> order
  std::vector<bool> used(pages);
  for (int round = 0; round < 20000; ++round) {
    if (random() % 2) {
      unsigned order = random() % 7;
      Page* page = buddy_.take(order);
      if (!page) continue;
      std::uint64_t first = number_of(*page);
      EXPECT_EQ(first % (1u << order), 0u);
      for (std::uint64_t i = 0; i < (1u << order); ++i) {
        EXPECT_FALSE(used[first + i]);
        EXPECT_TRUE(first + i >= 3 && first + i < 4800);
        used[first + i] = true;
      }
      owned.emplace(first, order);
    } else if (!owned.empty()) {
      auto it = std::next(owned.begin(), static_cast<long>(random() % owned.size()));
      for (std::uint64_t i = 0; i < (1u << it->second); ++i) used[it->first + i] = false;
      buddy_.give(memory_map[it->first], it->second);
      owned.erase(it);
    }
  }
  for (auto& [first, order] : owned) buddy_.give(memory_map[first], order);
  EXPECT_EQ(buddy_.free_pages(), 4797u);
  for (unsigned order = 0; order <= max_page_order; ++order)
    EXPECT_EQ(buddy_.free_blocks(order), blocks_before[order]) << order;
}

TEST_F(BuddyTest, DoesNotLookAtDescriptorsThatDoNotExist) {
  // Group 1 (pages 128..255) has no descriptors: the block of order 7 at 0 must not try to join it.
  presence_[0] &= ~std::uint64_t{2};
  buddy_.give_range(0, 128);
  EXPECT_EQ(buddy_.free_blocks(7), 1u);
  EXPECT_EQ(buddy_.take(8), nullptr);
  EXPECT_NE(buddy_.take(7), nullptr);
  EXPECT_EQ(buddy_.free_pages(), 0u);
}

TEST_F(BuddyTest, GivesNothingWhenEmpty) {
  EXPECT_EQ(buddy_.take(0), nullptr);
  buddy_.give_range(8, 9);
  EXPECT_EQ(buddy_.take(1), nullptr);
  EXPECT_EQ(buddy_.take(0), &memory_map[8]);
  EXPECT_EQ(buddy_.take(0), nullptr);
}

}  // namespace
}  // namespace core
