#include "core/memory/area_set.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace core {
namespace {

struct TestArea {
  base::TreeHook tree_hook_;
  std::uintptr_t start_ = 0, end_ = 0, gap_before_ = 0, largest_gap_ = 0;
  std::uintptr_t guard = 0;
  std::uintptr_t guard_below() const { return guard; }
};
using Areas = std::map<std::uintptr_t, std::unique_ptr<TestArea>>;
constexpr std::uintptr_t page = 4096, pages_in_space = 600;

bool is_free(const Areas& areas, std::uintptr_t start, std::uintptr_t end) {
  for (auto& [key, area] : areas) {
    std::uintptr_t guarded = area->start_ > area->guard ? area->start_ - area->guard : 0;
    if (start < area->end_ && end > guarded) return false;
  }
  return true;
}

std::optional<std::uintptr_t> search(const Areas& areas, const GapRequest& request, bool top_down) {
  std::optional<std::uintptr_t> found;
  for (std::uintptr_t at = 0; at < 2 * pages_in_space * page; at += request.alignment) {
    if (at < request.lowest || at + request.size > request.highest) continue;
    if (!is_free(areas, at, at + request.size)) continue;
    found = at;
    if (!top_down) break;
  }
  return found;
}

TEST(AreaSet, FindsTheSameGapsAsExhaustiveSearch) {
  std::mt19937 random(7);
  Areas model;
  AreaSet<TestArea> set;
  auto pick = [&](std::uintptr_t limit) { return random() % limit; };
  for (int round = 0; round < 6000; ++round) {
    switch (pick(4)) {
      case 0:
      case 1: {
        std::uintptr_t start = pick(pages_in_space) * page, end = start + (1 + pick(12)) * page;
        if (!is_free(model, start, end)) break;
        auto area = std::make_unique<TestArea>();
        area->start_ = start;
        area->end_ = end;
        if (pick(8) == 0) {
          // The guard must be free at insertion, as a stack's is.
          std::uintptr_t guard = 3 * page;
          if (start >= guard && is_free(model, start - guard, end)) area->guard = guard;
        }
        set.insert(*area);
        model.emplace(start, std::move(area));
        break;
      }
      case 2: {
        if (model.empty()) break;
        auto it = std::next(model.begin(), static_cast<long>(pick(model.size())));
        if (pick(2) && it->second->end_ - it->second->start_ > page) {
          set.set_bounds(*it->second, it->second->start_, it->second->end_ - page);
        } else {
          set.remove(*it->second);
          model.erase(it);
        }
        break;
      }
      default: {
        GapRequest request{.size = (1 + pick(16)) * page,
                           .lowest = pick(300) * page,
                           .highest = 0,
                           .alignment = page << pick(3)};
        request.highest = request.lowest + pick(500) * page;
        EXPECT_EQ(set.find_gap_top_down(request), search(model, request, true)) << round;
        EXPECT_EQ(set.find_gap_bottom_up(request), search(model, request, false)) << round;
        std::uintptr_t address = pick(pages_in_space) * page + pick(page);
        TestArea *contains = nullptr, *from = nullptr;
        for (auto& [key, area] : model) {
          if (area->start_ <= address && address < area->end_) contains = area.get();
          if (!from && address < area->end_) from = area.get();
        }
        EXPECT_EQ(set.find(address), contains);
        EXPECT_EQ(set.find_from(address), from);
      }
    }
  }
  set.clear_with([](TestArea&) {});
}

}  // namespace
}  // namespace core
