// The fixed-priority class: a list for each priority, the most urgent non-empty one first (sched(7), FIFO and
// RR).
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/sched/scheduling_entity.h"

namespace core {

class FixedQueue {
 public:
  enum class End : std::uint8_t { head, tail };

  bool empty() const { return bits_[0] == 0 && bits_[1] == 0; }
  unsigned waiting() const { return waiting_; }
  void insert(SchedulingEntity& entity, End end) {
    auto& list = lists_[index(entity)];
    if (end == End::head)
      list.push_front(entity);
    else
      list.push_back(entity);
    bits_[index(entity) / 64] |= std::uint64_t{1} << (index(entity) % 64);
    entity.queued = true;
    ++waiting_;
  }
  void remove(SchedulingEntity& entity) {
    auto& list = lists_[index(entity)];
    list.remove(entity);
    if (list.empty()) bits_[index(entity) / 64] &= ~(std::uint64_t{1} << (index(entity) % 64));
    entity.queued = false;
    --waiting_;
  }
  SchedulingEntity* first() {
    for (unsigned word = 0; word < 2; ++word)
      if (bits_[word])
        return lists_[word * 64 + static_cast<unsigned>(std::countr_zero(bits_[word]))].first();
    return nullptr;
  }
  bool has_others_at(std::uint8_t priority) { return !lists_[99u - priority].empty(); }
  template <typename Function>
  SchedulingEntity* find(Function&& function, unsigned limit) {
    for (unsigned i = 0; i < lists_.size(); ++i) {
      if (!(bits_[i / 64] >> (i % 64) & 1)) continue;
      for (SchedulingEntity* at = lists_[i].first(); at; at = lists_[i].next(*at)) {
        if (limit-- == 0) return nullptr;
        if (function(*at)) return at;
      }
    }
    return nullptr;
  }

 private:
  static unsigned index(const SchedulingEntity& entity) { return 99u - entity.priority; }
  std::array<base::IntrusiveList<SchedulingEntity, &SchedulingEntity::list_hook>, 99> lists_;
  std::uint64_t bits_[2] = {};
  unsigned waiting_ = 0;
};

}  // namespace core
