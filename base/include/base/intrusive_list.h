// Doubly linked list through hooks inside the elements: no allocation, removal from the element alone.
//
//   struct Item { ListHook hook; };
//   IntrusiveList<Item, &Item::hook> items;
//   items.push_back(item);  items.remove(item);  for (Item& item : items) ...
//
// An element may be removed while the loop stands on it only through `for_each_safe` or by remembering the
// next one. A hook that is destroyed or linked while linked is a bug of ours and checked. Not thread-safe:
// the owner's lock protects list and hooks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace base {

struct ListHook {
  ListHook* next = nullptr;
  ListHook* previous = nullptr;

  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { debug_verify(!next, "destroyed while on a list"); }
  bool is_linked() const { return next != nullptr; }
  void unlink() {
    debug_verify(next, "unlink of an unlinked element");
    next->previous = previous;
    previous->next = next;
    next = previous = nullptr;
  }
};

// The element around a member.
template <typename T, typename Member>
T* container_of(Member* member, Member T::* pointer) {
  // SAFETY: `member` is the member `pointer` of some T; the offset is the same in every T.
  alignas(T) static constexpr char probe[sizeof(T)] = {};
  auto* base = reinterpret_cast<const T*>(probe);
  auto offset = reinterpret_cast<const char*>(&(base->*pointer)) - probe;
  return reinterpret_cast<T*>(reinterpret_cast<char*>(member) - offset);
}

template <typename T, ListHook T::* hook>
class IntrusiveList {
 public:
  class Iterator {
   public:
    explicit Iterator(ListHook* at) : at_(at) {}
    T& operator*() const { return *container_of(at_, hook); }
    T* operator->() const { return container_of(at_, hook); }
    Iterator& operator++() {
      at_ = at_->next;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    ListHook* at_;
  };

  constexpr IntrusiveList() : head_{} {}
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    debug_verify(empty(), "list destroyed with elements");
    head_.next = head_.previous = nullptr;
  }

  bool empty() const { return !head_.next || head_.next == &head_; }
  T* first() { return empty() ? nullptr : container_of(head_.next, hook); }
  T* last() { return empty() ? nullptr : container_of(head_.previous, hook); }
  T* next(T& element) {
    ListHook* at = (element.*hook).next;
    return at == &head_ ? nullptr : container_of(at, hook);
  }
  T* previous(T& element) {
    ListHook* at = (element.*hook).previous;
    return at == &head_ ? nullptr : container_of(at, hook);
  }
  void push_back(T& element) {
    ensure();
    insert(head_.previous, element.*hook);
  }
  void push_front(T& element) {
    ensure();
    insert(&head_, element.*hook);
  }
  void insert_before(T& position, T& element) { insert((position.*hook).previous, element.*hook); }
  void insert_after(T& position, T& element) { insert(&(position.*hook), element.*hook); }
  void remove(T& element) { (element.*hook).unlink(); }
  T* pop_front() {
    T* element = first();
    if (element) remove(*element);
    return element;
  }
  T* pop_back() {
    T* element = last();
    if (element) remove(*element);
    return element;
  }
  // Moves all of `other` to our end in constant time.
  void splice_back(IntrusiveList& other) {
    if (other.empty()) return;
    ensure();
    other.head_.next->previous = head_.previous;
    other.head_.previous->next = &head_;
    head_.previous->next = other.head_.next;
    head_.previous = other.head_.previous;
    other.head_.next = other.head_.previous = nullptr;
  }
  static bool is_linked(const T& element) { return (element.*hook).is_linked(); }

  Iterator begin() {
    ensure();
    return Iterator(head_.next);
  }
  Iterator end() { return Iterator(&head_); }
  // `function` may remove the element it is given.
  template <typename Function>
  void for_each_safe(Function&& function) {
    ensure();
    for (ListHook *at = head_.next, *following; at != &head_; at = following) {
      following = at->next;
      function(*container_of(at, hook));
    }
  }

 private:
  // A constinit list cannot point at itself; an empty one may therefore hold null.
  void ensure() {
    if (!head_.next) head_.next = head_.previous = &head_;
  }
  static void insert(ListHook* after, ListHook& element) {
    debug_verify(!element.next, "element already on a list");
    element.next = after->next;
    element.previous = after;
    after->next->previous = &element;
    after->next = &element;
  }

  ListHook head_;
};

}  // namespace base
