#include "base/intrusive_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace base {
namespace {

struct Item {
  TreeHook hook;
  int key = 0;
  long weight = 0;
  long largest = 0;  // largest weight in the subtree
};

struct LargestWeight {
  static bool update(Item& node, const Item* left, const Item* right) {
    long largest = node.weight;
    if (left) largest = std::max(largest, left->largest);
    if (right) largest = std::max(largest, right->largest);
    bool changed = largest != node.largest;
    node.largest = largest;
    return changed;
  }
};
using Tree = IntrusiveTree<Item, &Item::hook, &Item::key, LargestWeight>;

// Checks colours, heights, parents and augmentation; gives the black height.
int check_subtree(const Item* node, const Item* parent) {
  if (!node) return 1;
  EXPECT_EQ(Tree::parent(*node), parent);
  const Item *left = Tree::left(*node), *right = Tree::right(*node);
  if (node->hook.is_red()) {
    EXPECT_FALSE(left && left->hook.is_red());
    EXPECT_FALSE(right && right->hook.is_red());
  }
  int left_height = check_subtree(left, node), right_height = check_subtree(right, node);
  EXPECT_EQ(left_height, right_height);
  long largest = node->weight;
  if (left) largest = std::max(largest, left->largest);
  if (right) largest = std::max(largest, right->largest);
  EXPECT_EQ(node->largest, largest);
  return left_height + (node->hook.is_red() ? 0 : 1);
}

TEST(IntrusiveTree, AgreesWithMapUnderRandomOperations) {
  std::mt19937 random(1);
  Tree tree;
  std::map<int, std::unique_ptr<Item>> model;
  for (int round = 0; round < 20000; ++round) {
    int key = static_cast<int>(random() % 400);
    auto found = model.find(key);
    switch (random() % 4) {
      case 0:
      case 1:
        if (found == model.end()) {
          auto item = std::make_unique<Item>();
          item->key = key;
          item->weight = static_cast<long>(random() % 1000);
          tree.insert(*item);
          model.emplace(key, std::move(item));
        } else {
          found->second->weight = static_cast<long>(random() % 1000);
          Tree::augment(*found->second);
        }
        break;
      case 2:
        if (found != model.end()) {
          tree.remove(*found->second);
          model.erase(found);
        }
        break;
      default: {
        EXPECT_EQ(tree.find(key), found == model.end() ? nullptr : found->second.get());
        auto bound = model.lower_bound(key);
        EXPECT_EQ(tree.lower_bound(key), bound == model.end() ? nullptr : bound->second.get());
        auto upper = model.upper_bound(key);
        EXPECT_EQ(tree.upper_bound(key), upper == model.end() ? nullptr : upper->second.get());
        EXPECT_EQ(tree.last_not_above(key),
                  upper == model.begin() ? nullptr : std::prev(upper)->second.get());
      }
    }
    if (round % 64 == 0) {
      EXPECT_FALSE(tree.root() && tree.root()->hook.is_red());
      check_subtree(tree.root(), nullptr);
      Item* at = tree.first();
      for (auto& [model_key, item] : model) {
        ASSERT_EQ(at, item.get());
        at = Tree::next(*at);
      }
      EXPECT_EQ(at, nullptr);
      at = tree.last();
      for (auto it = model.rbegin(); it != model.rend(); ++it) {
        ASSERT_EQ(at, it->second.get());
        at = Tree::previous(*at);
      }
      EXPECT_EQ(at, nullptr);
    }
  }
  std::size_t count = 0;
  tree.clear_with([&](Item&) { ++count; });
  EXPECT_EQ(count, model.size());
  EXPECT_TRUE(tree.empty());
}

TEST(IntrusiveTree, EqualKeysKeepTheirOrder) {
  IntrusiveTree<Item, &Item::hook, [](const Item& item) { return item.key; }> tree;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 30; ++i) {
    items.push_back(std::make_unique<Item>());
    items.back()->key = i % 3;
    items.back()->weight = i;
    tree.insert(*items.back());
  }
  EXPECT_EQ(tree.find(1), items[1].get());
  long last = -1;
  int last_key = 0;
  for (Item* at = tree.first(); at; at = tree.next(*at)) {
    if (at->key == last_key) {
      EXPECT_GT(at->weight, last);
    }
    last_key = at->key;
    last = at->weight;
  }
  for (auto& item : items) tree.remove(*item);
  EXPECT_TRUE(tree.empty());
}

}  // namespace
}  // namespace base
