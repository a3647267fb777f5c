#include "class_queues.h"

#include "core/sched/parameters.h"

namespace core {

void ClassQueues::add(SchedulingEntity& entity, std::uint64_t now_ns, Reason reason) {
  switch (entity.scheduling_class) {
    case SchedulingClass::deadline:
      if (reason == Reason::woken || entity.dl_new) DeadlineQueue::wake_up(entity, now_ns);
      deadline_.insert(entity);
      break;
    case SchedulingClass::fixed:
      if (entity.round_robin && entity.slice_left_ns == 0) entity.slice_left_ns = round_robin_slice_ns;
      fixed_.insert(entity, FixedQueue::End::tail);
      break;
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      fair_.join(entity);
      break;
  }
}

void ClassQueues::remove(SchedulingEntity& entity) {
  bool is_current = &entity == current_;
  switch (entity.scheduling_class) {
    case SchedulingClass::deadline:
      if (!is_current) deadline_.remove(entity);
      break;
    case SchedulingClass::fixed:
      if (!is_current) fixed_.remove(entity);
      break;
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      fair_.leave(entity);
      break;
  }
  if (is_current) current_ = nullptr;
  if (&entity == passed_over_) passed_over_ = nullptr;
}

// True when the running one's turn is over, or somebody became ready who comes first.
bool ClassQueues::account(std::uint64_t now_ns) {
  std::uint64_t ran = now_ns > accounted_ns_ ? now_ns - accounted_ns_ : 0;
  accounted_ns_ = now_ns;
  bool over = deadline_.replenish(now_ns) && preempts(*deadline_.first());
  if (!current_) return over;
  current_->total_runtime_ns += ran;
  switch (current_->scheduling_class) {
    case SchedulingClass::deadline:
      return DeadlineQueue::account(*current_, ran) || over;
    case SchedulingClass::fixed: {
      fixed_used_ns_ += ran;
      if (fixed_is_limited(now_ns)) over = true;
      if (!current_->round_robin || current_->boosted) return over;
      current_->slice_left_ns -= ran < current_->slice_left_ns ? ran : current_->slice_left_ns;
      return over || (current_->slice_left_ns == 0 && fixed_.has_others_at(current_->priority));
    }
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      fair_.account(ran);
      if (fair_.renew_slice_if_used() && !fair_.empty()) return true;
      return over || (!fixed_.empty() && !fixed_is_limited(now_ns));
  }
  return over;
}

void ClassQueues::put_current(Put put, std::uint64_t now_ns) {
  SchedulingEntity& entity = *current_;
  current_ = nullptr;
  switch (entity.scheduling_class) {
    case SchedulingClass::deadline:
      if (put == Put::yielded && !entity.boosted) {
        // Has done its work of this period.
        entity.dl_budget_ns = 0;
        entity.dl_throttled = true;
      }
      if (entity.dl_throttled && !entity.boosted && entity.dl_replenish_ns <= now_ns)
        DeadlineQueue::start_next_period(entity, now_ns);
      deadline_.insert(entity);
      break;
    case SchedulingClass::fixed: {
      bool slice_over = entity.round_robin && entity.slice_left_ns == 0;
      if (slice_over) entity.slice_left_ns = round_robin_slice_ns;
      fixed_.insert(entity,
                    put == Put::yielded || slice_over ? FixedQueue::End::tail : FixedQueue::End::head);
      break;
    }
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      if (put == Put::yielded) {
        fair_.yield_current();
        passed_over_ = &entity;
      }
      fair_.put_current();
      break;
  }
}

SchedulingEntity* ClassQueues::pick(std::uint64_t now_ns) {
  accounted_ns_ = now_ns;
  SchedulingEntity* next = nullptr;
  if ((next = deadline_.first())) {
    deadline_.remove(*next);
  } else if ((next = fixed_.first()) && !(fixed_is_limited(now_ns) && !fair_.empty())) {
    fixed_.remove(*next);
  } else if ((next = fair_.best_waiting())) {
    if (next == passed_over_ && fair_.waiting() > 1) {
      // The one after it in the order of deadlines, eligible or not: it asked for that.
      next = fair_.find([&](SchedulingEntity& entity) { return &entity != passed_over_; }, 2);
    }
    fair_.set_current(*next);
  }
  passed_over_ = nullptr;
  current_ = next;
  return next;
}

void ClassQueues::adopt_current(SchedulingEntity& entity) {
  switch (entity.scheduling_class) {
    case SchedulingClass::deadline:
      deadline_.remove(entity);
      break;
    case SchedulingClass::fixed:
      fixed_.remove(entity);
      break;
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      fair_.set_current(entity);
      break;
  }
  current_ = &entity;
}

bool ClassQueues::preempts(const SchedulingEntity& entity) const {
  if (!current_) return true;
  if (entity.scheduling_class != current_->scheduling_class) {
    if (entity.scheduling_class == SchedulingClass::deadline && entity.dl_throttled && !entity.boosted)
      return false;
    return entity.scheduling_class < current_->scheduling_class;
  }
  switch (entity.scheduling_class) {
    case SchedulingClass::deadline:
      return (!entity.dl_throttled || entity.boosted) && entity.dl_absolute_ns < current_->dl_absolute_ns;
    case SchedulingClass::fixed:
      return entity.priority > current_->priority;
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      return fair_.preempts_current(entity);
  }
  return false;
}

// A fair thread waits or runs.
bool ClassQueues::fair_has_work() const {
  return !fair_.empty() || (current_ && current_->scheduling_class >= SchedulingClass::fair);
}

// Fixed-priority threads have used up their part of this second.
bool ClassQueues::fixed_is_limited(std::uint64_t now_ns) {
  if (fixed_used_ns_ == 0) {
    window_start_ns_ = now_ns;
    return false;
  }
  if (now_ns - window_start_ns_ >= fixed_window_ns) {
    window_start_ns_ = now_ns;
    fixed_used_ns_ = 0;
  }
  return fixed_used_ns_ >= fixed_budget_ns && fair_has_work();
}

std::uint64_t ClassQueues::next_event_ns(std::uint64_t now_ns) {
  std::uint64_t event = deadline_.next_replenish_ns();
  auto at = [&](std::uint64_t from_now) {
    if (now_ns + from_now < event) event = now_ns + from_now;
  };
  if (fixed_used_ns_ && fixed_is_limited(now_ns) &&
      (!fixed_.empty() || (current_ && current_->scheduling_class == SchedulingClass::fixed)))
    at(window_start_ns_ + fixed_window_ns - now_ns);
  if (!current_) return event;
  switch (current_->scheduling_class) {
    case SchedulingClass::deadline:
      if (!current_->boosted)
        at(current_->dl_budget_ns > 0 ? static_cast<std::uint64_t>(current_->dl_budget_ns) : 0);
      break;
    case SchedulingClass::fixed:
      if (current_->round_robin && !current_->boosted && fixed_.has_others_at(current_->priority))
        at(current_->slice_left_ns);
      if (!fair_.empty() && fixed_used_ns_ < fixed_budget_ns) at(fixed_budget_ns - fixed_used_ns_);
      break;
    case SchedulingClass::fair:
    case SchedulingClass::idle:
      if (!fair_.empty()) at(fair_.slice_left_ns());
      break;
  }
  return event;
}

}  // namespace core
