// The deadline class: earliest deadline first, each thread inside its own constant bandwidth server (Abeni
// and Buttazzo, "Integrating multimedia applications in hard real-time systems", 1998).
//
// A thread may run `runtime` in every `period`, and is promised it within `deadline` of the start of each. It
// has a budget and an absolute deadline:
//   - waking: if the deadline is over, or the budget left could not be used up by it at the agreed rate, a
//     new period starts now with a full budget; else it goes on with what it has.
//   - budget used up: throttled until the next period begins; then deadline += period, budget += runtime.
//   What
//     it ran beyond its budget is taken off the next ones, before it runs again.
// So a thread that overruns hurts nobody but itself. Lent urgency (boosted) has no budget.
#pragma once

#include <cstdint>

#include "core/sched/scheduling_entity.h"

namespace core {

class DeadlineQueue {
 public:
  bool empty() const { return ready_.empty(); }
  unsigned waiting() const { return waiting_; }

  // Becomes runnable after a sleep, or for the first time.
  static void wake_up(SchedulingEntity& entity, std::uint64_t now_ns) {
    if (entity.boosted) return;
    bool over = entity.dl_absolute_ns <= now_ns;
    if (entity.dl_throttled && !over) return;  // slept while throttled: still is
    if (entity.dl_new || over || overflows(entity, now_ns)) {
      start_first_period(entity, now_ns);
      entity.dl_throttled = entity.dl_new = false;
    }
  }
  // Waiting for the CPU, or for its next period if throttled.
  void insert(SchedulingEntity& entity) {
    if (entity.dl_throttled && !entity.boosted)
      throttled_.insert(entity);
    else
      ready_.insert(entity);
    entity.queued = true;
    ++waiting_;
  }
  void remove(SchedulingEntity& entity) {
    if (entity.dl_throttled && !entity.boosted)
      throttled_.remove(entity);
    else
      ready_.remove(entity);
    entity.queued = false;
    --waiting_;
  }
  SchedulingEntity* first() const { return ready_.empty() ? nullptr : ready_.first(); }
  // The running one's budget shrinks; true when it has just been used up.
  static bool account(SchedulingEntity& entity, std::uint64_t ran_ns) {
    if (entity.boosted) return false;
    entity.dl_budget_ns -= static_cast<std::int64_t>(ran_ns);
    if (entity.dl_budget_ns > 0 || entity.dl_throttled) return false;
    entity.dl_throttled = true;
    return true;
  }
  // Starts the periods that are due. True if a thread became ready.
  bool replenish(std::uint64_t now_ns) {
    if (throttled_.empty()) return false;
    bool any = false;
    while (SchedulingEntity* entity = throttled_.first()) {
      if (entity->dl_replenish_ns > now_ns) break;
      throttled_.remove(*entity);
      start_next_period(*entity, now_ns);
      if (entity->dl_throttled) {
        throttled_.insert(*entity);
      } else {
        ready_.insert(*entity);
        any = true;
      }
    }
    return any;
  }
  // As replenish, for one that is not queued here (the running one), when the start of its next period has
  // come. One that has overrun may still be throttled afterwards, until a later period.
  static void start_next_period(SchedulingEntity& entity, std::uint64_t now_ns) {
    if (entity.dl_budget_ns <= 0) {
      // A late interrupt may have let it use up many budgets: it owes as many periods.
      std::uint64_t owed = static_cast<std::uint64_t>(-entity.dl_budget_ns) / entity.dl_runtime_ns;
      entity.dl_budget_ns += static_cast<std::int64_t>(owed * entity.dl_runtime_ns);
      entity.dl_replenish_ns += owed * entity.dl_period_ns;
      if (entity.dl_replenish_ns > now_ns) return;  // some of them are still to come
      entity.dl_budget_ns += static_cast<std::int64_t>(entity.dl_runtime_ns);
      entity.dl_absolute_ns = entity.dl_replenish_ns + entity.dl_deadline_ns;
      entity.dl_replenish_ns += entity.dl_period_ns;
    }
    // Periods that were missed altogether (a long boost, a stopped machine) are not made up for.
    if (entity.dl_replenish_ns + entity.dl_period_ns < now_ns) start_first_period(entity, now_ns);
    entity.dl_throttled = false;
  }
  std::uint64_t next_replenish_ns() const {
    return throttled_.empty() ? ~std::uint64_t{0} : throttled_.first()->dl_replenish_ns;
  }

 private:
  static void start_first_period(SchedulingEntity& entity, std::uint64_t now_ns) {
    entity.dl_absolute_ns = now_ns + entity.dl_deadline_ns;
    entity.dl_replenish_ns = now_ns + entity.dl_period_ns;
    entity.dl_budget_ns = static_cast<std::int64_t>(entity.dl_runtime_ns);
  }
  // budget / (deadline - now) > runtime / relative deadline: it would get more than its rate.
  static bool overflows(const SchedulingEntity& entity, std::uint64_t now_ns) {
    if (entity.dl_budget_ns <= 0) return false;
    return static_cast<unsigned __int128>(entity.dl_budget_ns) * entity.dl_deadline_ns >
           static_cast<unsigned __int128>(entity.dl_absolute_ns - now_ns) * entity.dl_runtime_ns;
  }

  base::IntrusiveTree<SchedulingEntity, &SchedulingEntity::tree_hook, &SchedulingEntity::dl_absolute_ns>
      ready_;
  base::IntrusiveTree<SchedulingEntity, &SchedulingEntity::tree_hook, &SchedulingEntity::dl_replenish_ns>
      throttled_;
  unsigned waiting_ = 0;
};

// Admission: the sum of runtime / period of all deadline threads stays below 95 % of the CPUs. Fractions have
// 20 bits.
class DeadlineAdmission {
 public:
  static constexpr std::uint64_t unit = 1 << 20;
  static std::uint64_t bandwidth(std::uint64_t runtime_ns, std::uint64_t period_ns) {
    return period_ns
               ? runtime_ns / period_ns * unit + (runtime_ns % period_ns) * (unit >> 4) / (period_ns >> 4)
               : 0;
  }
  bool admit(std::uint64_t released, std::uint64_t wanted, unsigned cpus) {
    if (used_ - released + wanted > cpus * (unit / 100 * 95)) return false;
    used_ = used_ - released + wanted;
    return true;
  }
  void release(std::uint64_t bandwidth) { used_ -= bandwidth; }
  std::uint64_t used() const { return used_; }

 private:
  std::uint64_t used_ = 0;
};

}  // namespace core
