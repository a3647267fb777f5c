#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <memory>
#include <random>
#include <vector>

namespace base {
namespace {

struct Item {
  explicit Item(int id) : number(id) {}
  int number;
  ListHook hook, other_hook;
};
using List = IntrusiveList<Item, &Item::hook>;
using OtherList = IntrusiveList<Item, &Item::other_hook>;

std::vector<int> numbers(List& list) {
  std::vector<int> all;
  for (Item& item : list) all.push_back(item.number);
  std::vector<int> backwards;
  for (Item* item = list.last(); item; item = list.previous(*item)) backwards.push_back(item->number);
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(all, backwards);
  return all;
}

TEST(IntrusiveList, BehavesAsTheStandardOne) {
  std::mt19937 random(8);
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 30; ++i) items.push_back(std::make_unique<Item>(i));
  List ours;
  std::list<int> theirs;
  auto place = [&](Item& item) { return std::find(theirs.begin(), theirs.end(), item.number); };
  for (int step = 0; step < 20000; ++step) {
    Item &item = *items[random() % items.size()], &at = *items[random() % items.size()];
    bool linked = List::is_linked(item), usable = &item != &at && List::is_linked(at);
    ASSERT_EQ(linked, place(item) != theirs.end());
    switch (random() % 8) {
      case 0:
        if (!linked) ours.push_back(item), theirs.push_back(item.number);
        break;
      case 1:
        if (!linked) ours.push_front(item), theirs.push_front(item.number);
        break;
      case 2:
        if (!linked && usable) ours.insert_before(at, item), theirs.insert(place(at), item.number);
        break;
      case 3:
        if (!linked && usable) ours.insert_after(at, item), theirs.insert(std::next(place(at)), item.number);
        break;
      case 4:
        if (linked) theirs.erase(place(item)), ours.remove(item);
        break;
      case 5:
        if (Item* first = ours.pop_front()) {
          ASSERT_EQ(first->number, theirs.front());
          theirs.pop_front();
        } else {
          ASSERT_TRUE(theirs.empty());
        }
        break;
      case 6:
        if (Item* last = ours.pop_back()) {
          ASSERT_EQ(last->number, theirs.back());
          theirs.pop_back();
        }
        break;
      default: {
        List second;
        while (Item* moved = random() % 3 ? ours.pop_front() : nullptr) second.push_back(*moved);
        std::list<int> second_theirs;
        for (Item& moved : second) {
          second_theirs.push_back(moved.number);
          theirs.remove(moved.number);
        }
        ours.splice_back(second);
        theirs.splice(theirs.end(), second_theirs);
        ASSERT_TRUE(second.empty());
      }
    }
    if (step % 16 == 0) ASSERT_EQ(numbers(ours), std::vector<int>(theirs.begin(), theirs.end()));
    ASSERT_EQ(ours.empty(), theirs.empty());
  }
  while (ours.pop_front()) {
  }
}

TEST(IntrusiveList, AnElementMayBeOnTwoLists) {
  Item a{1}, b{2};
  List list;
  OtherList other;
  list.push_back(a);
  list.push_back(b);
  other.push_front(b);
  other.push_back(a);
  EXPECT_EQ(list.first(), &a);
  EXPECT_EQ(other.first(), &b);
  EXPECT_EQ(list.next(a), &b);
  EXPECT_EQ(list.next(b), nullptr);
  EXPECT_EQ(other.previous(b), nullptr);
  list.for_each_safe([&](Item& item) { list.remove(item); });
  other.for_each_safe([&](Item& item) { other.remove(item); });
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveListDeathTest, FindsMisuse) {
  Item item{1};
  List list;
  EXPECT_DEATH(list.remove(item), "unlink of an unlinked element");
  EXPECT_DEATH(
      {
        list.push_back(item);
        list.push_back(item);
      },
      "element already on a list");
  EXPECT_DEATH(
      {
        Item dying{2};
        list.push_back(dying);
      },
      "destroyed while on a list");
}

}  // namespace
}  // namespace base
