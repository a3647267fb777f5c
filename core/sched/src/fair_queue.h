// The fair class: EEVDF (Stoica and Abdel-Wahab, "Earliest Eligible Virtual Deadline First", 1996).
//
// Every thread has a weight w (by nice) and a virtual run time v that grows by (time run) / w. The average V
// of all runnable threads, weighted, is where each would be if time were divided perfectly. A thread with v
// <= V has got no more than its share: it is eligible. Each asks for slices of time and has a virtual
// deadline, v plus slice / w, by which the next slice is due. The eligible thread with the earliest virtual
// deadline runs. So a thread is never more than about a slice from its share, and who asks for shorter slices
// waits for shorter times.
//
// A thread that leaves the queue keeps its lag (V - v, bounded by two slices) and gets it back when it
// returns: sleeping neither earns credit without end nor forgives debts.
//
//   V is never computed for a decision: with base b, V >= x  <=>  sum(w_i * (v_i - b)) >= (x - b) * sum(w_i).
//
// The tree is ordered by virtual deadline; each node knows the smallest v below it, so the earliest eligible
// one is found in one walk down. The running thread is not in the tree but counts in the sums. The lock of
// the run queue protects all.
#pragma once

#include <cstdint>

#include "core/sched/scheduling_entity.h"

namespace core {

inline constexpr std::uint64_t fair_default_slice_ns = 3'000'000;
inline constexpr std::uint32_t fair_unit_weight = 1024;  // nice 0
inline constexpr std::uint32_t fair_idle_weight = 3;     // Policy::idle
// Each step of nice is a factor of 1.25.
std::uint32_t fair_weight(int nice);

class FairQueue {
 public:
  bool empty() const { return tree_.empty(); }
  unsigned waiting() const { return waiting_; }
  std::uint64_t total_weight() const { return total_weight_; }

  // A thread becomes runnable here: gives it a place according to its lag.
  void join(SchedulingEntity& entity);
  // It stops being runnable here; remembers its lag. Queued or current.
  void leave(SchedulingEntity& entity);

  // The earliest eligible of the waiting ones; null if none waits.
  SchedulingEntity* best_waiting() const;
  // Takes it out of the tree, to run.
  void set_current(SchedulingEntity& entity);
  // The running one goes back to the tree.
  void put_current();
  SchedulingEntity* current() const { return current_; }

  // The running thread ran for so long.
  void account(std::uint64_t ran_ns);
  // Has it used up its slice since it was last told to go on? Starts the next one.
  bool renew_slice_if_used();
  std::uint64_t slice_left_ns() const;
  // Others first: asks for its next slice now.
  void yield_current();

  // Should `woken` (waiting) run before the current one?
  bool preempts_current(const SchedulingEntity& woken) const;
  bool is_eligible(const SchedulingEntity& entity) const { return reaches(entity.vruntime); }
  std::int64_t lag_of(const SchedulingEntity& entity) const;

  // For load balancing: calls function(entity) for waiting ones in order of deadline until it returns true.
  template <typename Function>
  SchedulingEntity* find(Function&& function, unsigned limit) const {
    for (SchedulingEntity* at = tree_.first(); at && limit-- > 0; at = tree_.next(*at))
      if (function(*at)) return at;
    return nullptr;
  }

 private:
  struct MinimumVruntime {
    static bool update(SchedulingEntity& node, const SchedulingEntity* left, const SchedulingEntity* right);
  };
  using Tree = base::IntrusiveTree<SchedulingEntity, &SchedulingEntity::tree_hook,
                                   &SchedulingEntity::virtual_deadline, MinimumVruntime>;

  static std::uint64_t slice_of(const SchedulingEntity& entity) {
    return entity.slice_ns ? entity.slice_ns : fair_default_slice_ns;
  }
  static std::int64_t to_virtual(std::uint64_t ns, std::uint32_t weight);
  static std::uint64_t to_real(std::int64_t virtual_ns, std::uint32_t weight);
  WrappingTime average() const;
  bool reaches(WrappingTime time) const;
  void add_to_sums(const SchedulingEntity& entity);
  void remove_from_sums(const SchedulingEntity& entity);
  void advance_base();

  Tree tree_;
  SchedulingEntity* current_ = nullptr;
  unsigned waiting_ = 0;
  WrappingTime base_;
  std::int64_t weighted_sum_ = 0;   // sum of w * (v - base)
  std::uint64_t total_weight_ = 0;  // the running one included
};

}  // namespace core
