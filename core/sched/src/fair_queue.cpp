#include "fair_queue.h"

namespace core {

std::uint32_t fair_weight(int nice) {
  // 1024 * 1.25^-nice, rounded.
  static constexpr std::uint32_t weights[40] = {
      88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, 9537, 7629, 6104, 4883,
      3906,  3125,  2500,  2000,  1600,  1280,  1024,  819,   655,   524,   419,  336,  268,  215,
      172,   137,   110,   88,    70,    56,    45,    36,    29,    23,    18,   15};
  return weights[nice + 20];
}

bool FairQueue::MinimumVruntime::update(SchedulingEntity& node, const SchedulingEntity* left,
                                        const SchedulingEntity* right) {
  WrappingTime smallest = node.vruntime;
  if (left && left->subtree_min_vruntime < smallest) smallest = left->subtree_min_vruntime;
  if (right && right->subtree_min_vruntime < smallest) smallest = right->subtree_min_vruntime;
  if (smallest == node.subtree_min_vruntime) return false;
  node.subtree_min_vruntime = smallest;
  return true;
}

std::int64_t FairQueue::to_virtual(std::uint64_t ns, std::uint32_t weight) {
  if (weight == fair_unit_weight) [[likely]]
    return static_cast<std::int64_t>(ns);  // most threads: no division
  return static_cast<std::int64_t>(ns * fair_unit_weight / weight);
}
std::uint64_t FairQueue::to_real(std::int64_t virtual_ns, std::uint32_t weight) {
  return virtual_ns <= 0 ? 0 : static_cast<std::uint64_t>(virtual_ns) * weight / fair_unit_weight;
}

WrappingTime FairQueue::average() const {
  if (total_weight_ == 0) return base_;
  auto weight = static_cast<std::int64_t>(total_weight_);
  std::int64_t offset = weighted_sum_ / weight;
  if (weighted_sum_ % weight < 0) --offset;  // rounds down, so that the average itself is eligible
  return base_ + offset;
}

bool FairQueue::reaches(WrappingTime time) const {
  return static_cast<__int128>(weighted_sum_) >=
         static_cast<__int128>(time - base_) * static_cast<std::int64_t>(total_weight_);
}

void FairQueue::add_to_sums(const SchedulingEntity& entity) {
  weighted_sum_ += (entity.vruntime - base_) * static_cast<std::int64_t>(entity.weight);
  total_weight_ += entity.weight;
}
void FairQueue::remove_from_sums(const SchedulingEntity& entity) {
  weighted_sum_ -= (entity.vruntime - base_) * static_cast<std::int64_t>(entity.weight);
  total_weight_ -= entity.weight;
}

// Keeps the base near the threads, so that the sum stays small. Not at every step, because it divides: while
// the average is within 2^32 ns of the base, a thousand threads of the largest weight leave the sum below
// 2^60.
void FairQueue::advance_base() {
  if (weighted_sum_ < static_cast<std::int64_t>(total_weight_ << 32)) [[likely]]
    return;
  WrappingTime now = average();
  std::int64_t step = now - base_;
  if (step <= 0) return;
  weighted_sum_ -= step * static_cast<std::int64_t>(total_weight_);
  base_ = now;
}

std::int64_t FairQueue::lag_of(const SchedulingEntity& entity) const {
  std::int64_t limit = to_virtual(2 * slice_of(entity), entity.weight);
  std::int64_t lag = average() - entity.vruntime;
  return lag > limit ? limit : lag < -limit ? -limit : lag;
}

void FairQueue::join(SchedulingEntity& entity) {
  std::int64_t lag = entity.lag_valid ? entity.lag : 0;
  std::int64_t slice = to_virtual(slice_of(entity), entity.weight);
  // Joining moves the average towards the newcomer; so that its lag is `lag` afterwards, it starts a little
  // further out.
  if (lag != 0 && total_weight_ != 0) {
    auto total = static_cast<std::int64_t>(total_weight_);
    std::int64_t limit = 8 * fair_default_slice_ns * fair_unit_weight / fair_idle_weight;
    std::int64_t bounded = lag > limit ? limit : lag < -limit ? -limit : lag;
    std::int64_t extra = bounded / total * entity.weight + bounded % total * entity.weight / total;
    lag += extra;
  }
  entity.vruntime = average() + -lag;
  // A new thread gets half a slice, so that it is looked at soon.
  entity.virtual_deadline = entity.vruntime + (entity.lag_valid ? slice : slice / 2);
  entity.lag_valid = true;
  add_to_sums(entity);
  entity.subtree_min_vruntime = entity.vruntime;
  tree_.insert(entity);
  entity.queued = true;
  ++waiting_;
}

void FairQueue::leave(SchedulingEntity& entity) {
  entity.lag = lag_of(entity);
  remove_from_sums(entity);
  if (&entity == current_) {
    current_ = nullptr;
  } else {
    tree_.remove(entity);
    entity.queued = false;
    --waiting_;
  }
  advance_base();
}

SchedulingEntity* FairQueue::best_waiting() const {
  for (SchedulingEntity* at = tree_.root(); at;) {
    SchedulingEntity* left = tree_.left(*at);
    if (left && reaches(left->subtree_min_vruntime)) {
      at = left;
      continue;
    }
    if (reaches(at->vruntime)) return at;
    at = tree_.right(*at);
  }
  // Only the running thread is eligible.
  return tree_.first();
}

void FairQueue::set_current(SchedulingEntity& entity) {
  tree_.remove(entity);
  entity.queued = false;
  --waiting_;
  current_ = &entity;
}

void FairQueue::put_current() {
  SchedulingEntity& entity = *current_;
  current_ = nullptr;
  entity.subtree_min_vruntime = entity.vruntime;
  tree_.insert(entity);
  entity.queued = true;
  ++waiting_;
}

void FairQueue::account(std::uint64_t ran_ns) {
  std::int64_t step = to_virtual(ran_ns, current_->weight);
  current_->vruntime = current_->vruntime + step;
  weighted_sum_ += step * static_cast<std::int64_t>(current_->weight);
  advance_base();
}

bool FairQueue::renew_slice_if_used() {
  if (current_->vruntime < current_->virtual_deadline) return false;
  current_->virtual_deadline = current_->vruntime + to_virtual(slice_of(*current_), current_->weight);
  return true;
}

std::uint64_t FairQueue::slice_left_ns() const {
  return to_real(current_->virtual_deadline - current_->vruntime, current_->weight);
}

void FairQueue::yield_current() {
  current_->virtual_deadline = current_->virtual_deadline + to_virtual(slice_of(*current_), current_->weight);
}

bool FairQueue::preempts_current(const SchedulingEntity& woken) const {
  return current_ && is_eligible(woken) &&
         (woken.virtual_deadline < current_->virtual_deadline || !is_eligible(*current_));
}

}  // namespace core
