// Balanced (red-black) search tree through hooks inside the elements: no allocation, removal from the element
// alone.
//
//   struct Area { TreeHook hook; std::uintptr_t start; };
//   IntrusiveTree<Area, &Area::hook, &Area::start> areas;      // ordered by start, smallest first
//   areas.insert(area);  areas.find(0x1000);  areas.lower_bound(0x1800);  areas.remove(area);
//   for (Area* area = areas.first(); area; area = areas.next(*area)) ...
//
// The key is a data member, a member function or a captureless lambda, compared with `<`. Equal keys are
// allowed; a new element goes behind its equals and find() gives the first of them. A key must not change
// while linked, except where the order among the neighbours stays the same.
//
// Augmentation: the optional fourth argument computes something about a whole subtree in each element, e.g.
// the largest gap, so that searches can skip subtrees:
//
//   struct LargestGap {
//     // Recomputes `node` from itself and its children (null at the edges); says whether the value changed.
//     static bool update(Area& node, const Area* left, const Area* right);
//   };
//
// The tree calls it where its shape changes. When the element's own contribution changes, the owner calls
// augment(element), which repairs the path to the root. root(), left() and right() serve the searches.
//
// Every operation is O(log n); next() and previous() O(1) on average. Not thread-safe: the owner's lock
// protects tree and hooks. Links are written with plain stores, but never so that a reader who walks down
// without the lock could run in a circle for ever: it may only miss elements. Whoever does that needs
// RCU-freed elements and a sequence counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/check.h"
#include "base/intrusive_list.h"

namespace base {

struct TreeHook {
  // Bit 0 of the parent word is the colour (1 = red); an unlinked hook has the value `unlinked`.
  static constexpr std::uintptr_t unlinked = ~std::uintptr_t{0};
  std::uintptr_t parent_and_colour = unlinked;
  TreeHook* child[2] = {nullptr, nullptr};

  TreeHook() = default;
  TreeHook(const TreeHook&) = delete;
  TreeHook& operator=(const TreeHook&) = delete;
  ~TreeHook() { debug_verify(!is_linked(), "destroyed while in a tree"); }
  bool is_linked() const { return parent_and_colour != unlinked; }
  // SAFETY: the word holds a TreeHook* (aligned to 8) and the colour bit.
  TreeHook* parent() const { return reinterpret_cast<TreeHook*>(parent_and_colour & ~std::uintptr_t{1}); }
  bool is_red() const { return parent_and_colour & 1; }
  void set_parent(TreeHook* parent) {
    parent_and_colour = reinterpret_cast<std::uintptr_t>(parent) | (parent_and_colour & 1);
  }
  void set_red(bool red) { parent_and_colour = (parent_and_colour & ~std::uintptr_t{1}) | (red ? 1 : 0); }
};

// The part that knows nothing of the element type (base/src/intrusive_tree.cpp).
class TreeBase {
 public:
  // Recomputes one node; says whether its value changed. Null when there is nothing to keep.
  using UpdateFunction = bool (*)(TreeHook* node);

  constexpr TreeBase() = default;
  TreeBase(const TreeBase&) = delete;
  TreeBase& operator=(const TreeBase&) = delete;
  // No destructor: trees live at namespace scope too. Elements check that they are unlinked.

  static TreeHook* edge(TreeHook* root, int direction);
  static TreeHook* neighbour(TreeHook* node, int direction);
  void link(TreeHook& node, TreeHook* parent, int direction, UpdateFunction update);
  void unlink(TreeHook& node, UpdateFunction update);
  static void propagate(TreeHook* node, UpdateFunction update);

  TreeHook* root_ = nullptr;

 private:
  void replace_child(TreeHook* parent, TreeHook* old_child, TreeHook* new_child);
  void rotate(TreeHook* node, int direction, UpdateFunction update);
  void repair_after_insert(TreeHook* node, UpdateFunction update);
  void repair_after_remove(TreeHook* node, TreeHook* parent, UpdateFunction update);
};

struct NoAugmentation {};

template <typename T, TreeHook T::* hook, auto key_of, typename Augmentation = NoAugmentation>
class IntrusiveTree {
 public:
  constexpr IntrusiveTree() = default;

  static decltype(auto) key(const T& element) {
    if constexpr (std::is_member_object_pointer_v<decltype(key_of)>)
      return (element.*key_of);
    else if constexpr (std::is_member_function_pointer_v<decltype(key_of)>)
      return (element.*key_of)();
    else
      return key_of(element);
  }
  using Key = std::remove_cvref_t<decltype(key(*static_cast<const T*>(nullptr)))>;

  bool empty() const { return !tree_.root_; }
  static bool is_linked(const T& element) { return (element.*hook).is_linked(); }

  T* find(const Key& wanted) const {
    T* element = lower_bound(wanted);
    return element && !(wanted < key(*element)) ? element : nullptr;
  }
  // First element whose key is not less than `wanted`.
  T* lower_bound(const Key& wanted) const {
    T* result = nullptr;
    for (T* at = root(); at;) {
      if (key(*at) < wanted) {
        at = right(*at);
      } else {
        result = at;
        at = left(*at);
      }
    }
    return result;
  }
  // First element whose key is greater than `wanted`.
  T* upper_bound(const Key& wanted) const {
    T* result = nullptr;
    for (T* at = root(); at;) {
      if (wanted < key(*at)) {
        result = at;
        at = left(*at);
      } else {
        at = right(*at);
      }
    }
    return result;
  }
  // Last element whose key is not greater than `wanted`.
  T* last_not_above(const Key& wanted) const {
    T* result = nullptr;
    for (T* at = root(); at;) {
      if (wanted < key(*at)) {
        at = left(*at);
      } else {
        result = at;
        at = right(*at);
      }
    }
    return result;
  }

  void insert(T& element) {
    TreeHook* parent = nullptr;
    int direction = 0;
    for (T* at = root(); at;) {
      parent = &(at->*hook);
      direction = key(element) < key(*at) ? 0 : 1;
      at = from(parent->child[direction]);
    }
    tree_.link(element.*hook, parent, direction, update_function());
  }
  void remove(T& element) { tree_.unlink(element.*hook, update_function()); }
  // Takes out everything in no particular order, in O(n) without rebalancing; `function` owns what it gets.
  template <typename Function>
  void clear_with(Function&& function) {
    TreeHook* at = tree_.root_;
    tree_.root_ = nullptr;
    while (at) {
      if (TreeHook* child = at->child[0] ? at->child[0] : at->child[1]) {
        at = child;
        continue;
      }
      TreeHook* parent = at->parent();
      if (parent) parent->child[parent->child[0] == at ? 0 : 1] = nullptr;
      at->parent_and_colour = TreeHook::unlinked;
      function(*from(at));
      at = parent;
    }
  }

  T* first() const { return from(TreeBase::edge(tree_.root_, 0)); }
  T* last() const { return from(TreeBase::edge(tree_.root_, 1)); }
  static T* next(const T& element) { return from(TreeBase::neighbour(hook_of(element), 1)); }
  static T* previous(const T& element) { return from(TreeBase::neighbour(hook_of(element), 0)); }

  T* root() const { return from(tree_.root_); }
  static T* left(const T& element) { return from((element.*hook).child[0]); }
  static T* right(const T& element) { return from((element.*hook).child[1]); }
  static T* parent(const T& element) { return from((element.*hook).parent()); }

  // The element's own contribution to the augmentation has changed.
  static void augment(T& element) { TreeBase::propagate(&(element.*hook), update_function()); }

 private:
  static T* from(TreeHook* at) { return at ? container_of(at, hook) : nullptr; }
  static TreeHook* hook_of(const T& element) { return const_cast<TreeHook*>(&(element.*hook)); }
  static constexpr TreeBase::UpdateFunction update_function() {
    if constexpr (std::is_same_v<Augmentation, NoAugmentation>) {
      return nullptr;
    } else {
      return [](TreeHook* node) {
        return Augmentation::update(*from(node), from(node->child[0]), from(node->child[1]));
      };
    }
  }

  TreeBase tree_;
};

}  // namespace base
