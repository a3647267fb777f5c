// The areas of an address space in order, and the gaps between them.
//
// A tree by start address in which every node knows the largest gap in its subtree, so that a place for a new
// mapping is found in O(log n). A gap belongs to the area above it: gap_before_ is the free room between the
// end of the previous area (or 0) and the area's start, less the guard that an area which grows down keeps
// below itself.
//
// AreaType has start_, end_, gap_before_, largest_gap_ (std::uintptr_t), tree_hook_ and guard_below(), and
// befriends this class. Nothing is allocated; areas never overlap. Not thread-safe: AddressSpace::lock_.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bits.h"
#include "base/intrusive_tree.h"

namespace core {

struct GapRequest {
  std::uintptr_t size;
  std::uintptr_t lowest;  // the place must lie in [lowest, highest)
  std::uintptr_t highest;
  std::uintptr_t alignment;  // power of two, at least a page
};

template <typename AreaType>
class AreaSet {
 public:
  constexpr AreaSet() = default;

  bool empty() const { return tree_.empty(); }
  AreaType* first() const { return tree_.first(); }
  AreaType* last() const { return tree_.last(); }
  static AreaType* next(const AreaType& area) { return Tree::next(area); }
  static AreaType* previous(const AreaType& area) { return Tree::previous(area); }

  // The area that contains `address`.
  AreaType* find(std::uintptr_t address) const {
    AreaType* area = tree_.last_not_above(address);
    return area && address < area->end_ ? area : nullptr;
  }
  // The first area that ends above `address`: it contains it or lies after it.
  AreaType* find_from(std::uintptr_t address) const {
    AreaType* result = nullptr;
    for (AreaType* at = tree_.root(); at;) {
      if (address < at->end_) {
        result = at;
        if (at->start_ <= address) break;
        at = Tree::left(*at);
      } else {
        at = Tree::right(*at);
      }
    }
    return result;
  }
  // The first area that touches [start, end).
  AreaType* find_overlap(std::uintptr_t start, std::uintptr_t end) const {
    AreaType* area = find_from(start);
    return area && area->start_ < end ? area : nullptr;
  }

  void insert(AreaType& area) {
    tree_.insert(area);
    update_gap(area);
    if (AreaType* above = next(area)) update_gap(*above);
  }
  void remove(AreaType& area) {
    AreaType* above = next(area);
    tree_.remove(area);
    if (above) update_gap(*above);
  }
  // Moves the edges; the order among the areas stays.
  void set_bounds(AreaType& area, std::uintptr_t start, std::uintptr_t end) {
    area.start_ = start;
    area.end_ = end;
    update_gap(area);
    if (AreaType* above = next(area)) update_gap(*above);
  }
  template <typename Function>
  void clear_with(Function&& function) {
    tree_.clear_with(function);
  }

  // The highest place, its start as high as it can be.
  std::optional<std::uintptr_t> find_gap_top_down(const GapRequest& request) const {
    if (request.highest < request.lowest || request.highest - request.lowest < request.size)
      return std::nullopt;
    AreaType* above = tree_.lower_bound(request.highest);
    // The gap that `highest` cuts, or the one above all areas.
    if (auto place = highest_in_gap(above, request)) return place;
    AreaType* at = above ? previous_with_gap(*above, request.size) : last_with_gap(request.size);
    for (; at && at->start_ > request.lowest; at = previous_with_gap(*at, request.size))
      if (auto place = highest_in_gap(at, request)) return place;
    return std::nullopt;
  }
  // The lowest place.
  std::optional<std::uintptr_t> find_gap_bottom_up(const GapRequest& request) const {
    if (request.highest < request.lowest || request.highest - request.lowest < request.size)
      return std::nullopt;
    AreaType* at = find_from(request.lowest);
    if (at && at->gap_before_ < request.size) at = next_with_gap(*at, request.size);
    for (;;) {
      if (auto place = lowest_in_gap(at, request)) return place;
      if (!at || at->start_ >= request.highest) return std::nullopt;
      at = next_with_gap(*at, request.size);
    }
  }

 private:
  struct LargestGap {
    static bool update(AreaType& node, const AreaType* left, const AreaType* right) {
      std::uintptr_t largest = node.gap_before_;
      if (left && left->largest_gap_ > largest) largest = left->largest_gap_;
      if (right && right->largest_gap_ > largest) largest = right->largest_gap_;
      bool changed = largest != node.largest_gap_;
      node.largest_gap_ = largest;
      return changed;
    }
  };
  using Tree = base::IntrusiveTree<AreaType, &AreaType::tree_hook_, &AreaType::start_, LargestGap>;

  static std::uintptr_t gap_end(const AreaType& area) {
    std::uintptr_t guard = area.guard_below();
    return area.start_ > guard ? area.start_ - guard : 0;
  }
  void update_gap(AreaType& area) {
    AreaType* below = previous(area);
    std::uintptr_t start = below ? below->end_ : 0, end = gap_end(area);
    area.gap_before_ = end > start ? end - start : 0;
    Tree::augment(area);
  }
  // The gap below `above`, or above the last area if null, cut to the request; empty if start >= end.
  struct Gap {
    std::uintptr_t start, end;
  };
  Gap cut_gap(const AreaType* above, const GapRequest& request) const {
    const AreaType* below = above ? previous(*above) : last();
    std::uintptr_t start = below ? below->end_ : 0;
    std::uintptr_t end = above ? gap_end(*above) : ~std::uintptr_t{0};
    return {start < request.lowest ? request.lowest : start, end > request.highest ? request.highest : end};
  }
  std::optional<std::uintptr_t> highest_in_gap(const AreaType* above, const GapRequest& request) const {
    auto [start, end] = cut_gap(above, request);
    if (end < start || end - start < request.size) return std::nullopt;
    std::uintptr_t place = base::align_down(end - request.size, request.alignment);
    if (place < start) return std::nullopt;
    return place;
  }
  std::optional<std::uintptr_t> lowest_in_gap(const AreaType* above, const GapRequest& request) const {
    auto [start, end] = cut_gap(above, request);
    std::uintptr_t place = base::align_up(start, request.alignment);
    if (place < start || end < place || end - place < request.size) return std::nullopt;
    return place;
  }

  // Last (first) node of the subtree whose own gap is large enough; the subtree is known to hold one.
  static AreaType* edge_with_gap(AreaType* at, std::uintptr_t size, bool rightmost) {
    for (;;) {
      AreaType* outer = rightmost ? Tree::right(*at) : Tree::left(*at);
      if (outer && outer->largest_gap_ >= size)
        at = outer;
      else if (at->gap_before_ >= size)
        return at;
      else
        at = rightmost ? Tree::left(*at) : Tree::right(*at);
    }
  }
  AreaType* last_with_gap(std::uintptr_t size) const {
    AreaType* root = tree_.root();
    return root && root->largest_gap_ >= size ? edge_with_gap(root, size, true) : nullptr;
  }
  static AreaType* neighbour_with_gap(AreaType& from, std::uintptr_t size, bool backwards) {
    auto inner = [&](AreaType& at) { return backwards ? Tree::left(at) : Tree::right(at); };
    AreaType* subtree = inner(from);
    if (subtree && subtree->largest_gap_ >= size) return edge_with_gap(subtree, size, backwards);
    for (AreaType *at = &from, *parent = Tree::parent(from); parent;
         at = parent, parent = Tree::parent(*parent)) {
      if (inner(*parent) == at) continue;
      if (parent->gap_before_ >= size) return parent;
      subtree = inner(*parent);
      if (subtree && subtree->largest_gap_ >= size) return edge_with_gap(subtree, size, backwards);
    }
    return nullptr;
  }
  static AreaType* previous_with_gap(AreaType& from, std::uintptr_t size) {
    return neighbour_with_gap(from, size, true);
  }
  static AreaType* next_with_gap(AreaType& from, std::uintptr_t size) {
    return neighbour_with_gap(from, size, false);
  }

  Tree tree_;
};

}  // namespace core
