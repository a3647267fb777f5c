#include "../interrupt_line.h"

#include <utility>

#include "core/log/log.h"

namespace core {

namespace {
constexpr std::uint32_t judged_after = 100'000, tolerated = 99'900;
}

// The line is open when somebody listens, nobody has disabled it, and no thread still works on a level.
void InterruptLine::update_mask_locked() {
  bool want_masked = actions.empty() || disabled_ != 0 || given_up_ || (is_level(trigger) && busy_ != 0);
  if (want_masked == masked_) return;
  masked_ = want_masked;
  if (masked_)
    controller.mask(hardware_number);
  else
    controller.unmask(hardware_number);
}

void InterruptLine::note_outcome_locked(bool was_claimed) {
  if (!was_claimed) ++unclaimed_;
  if (++recent_ < judged_after) return;
  if (unclaimed_ > tolerated && !given_up_) {
    given_up_ = true;
    log(LogLevel::error, "interrupt {}: nobody cared; the line is masked", number);
    update_mask_locked();
  }
  recent_ = unclaimed_ = 0;
}

void InterruptLine::handle() {
  SpinGuard<IrqsAlreadyOff> guard(lock);
  // An edge that comes from now on is a new one. A level is still there: acknowledged before it is masked, it
  // would come again at once.
  if (!is_level(trigger) || masked_) controller.acknowledge(hardware_number);
  if (masked_) return;  // was on its way when the line was masked; a level comes again
  bool claimed = false, woken = false;
  for (InterruptAction& action : actions) {
    InterruptOutcome outcome =
        action.handler.quick ? action.handler.quick(action.handler.context) : InterruptOutcome::wake_thread;
    if (outcome == InterruptOutcome::handled) claimed = true;
    if (outcome != InterruptOutcome::wake_thread || !action.handler.thread) continue;
    woken = true;
    action.called = true;
    // relaxed: `busy` changes under the lock.
    if (!action.busy.load(std::memory_order_relaxed)) {
      action.busy.store(true, std::memory_order_relaxed);
      ++busy_;
    }
  }
  // With threads under way, they will tell whether it was theirs.
  if (!woken) note_outcome_locked(claimed);
  update_mask_locked();
  if (is_level(trigger)) controller.acknowledge(hardware_number);
  if (!woken) return;
  // Last: the thread may run on another CPU at once, or be on its way to sleep there, and finds the line
  // masked.
  for (InterruptAction& action : actions) {
    if (!std::exchange(action.called, false)) continue;
    action.pending.store(true);
    action.wanted.wake_one();
  }
}

void InterruptLine::finish(InterruptAction& action, InterruptOutcome outcome) {
  {
    SpinGuard<IrqSave> guard(lock);
    note_outcome_locked(outcome != InterruptOutcome::not_mine);
    // Another one came in meanwhile: still busy.
    if (action.pending.load() || !action.busy.load(std::memory_order_relaxed)) return;
    action.busy.store(false, std::memory_order_relaxed);
    --busy_;
    update_mask_locked();
  }
  action.calm.wake_all();
}

void InterruptLine::add(InterruptAction& action) {
  SpinGuard<IrqSave> guard(lock);
  actions.push_back(action);
  given_up_ = false;
  recent_ = unclaimed_ = 0;
  update_mask_locked();
}

void InterruptLine::remove(InterruptAction& action) {
  SpinGuard<IrqSave> guard(lock);
  actions.remove(action);
  // The thread may be in the middle of the handler; it no longer counts.
  if (action.busy.load(std::memory_order_relaxed)) {
    action.busy.store(false, std::memory_order_relaxed);
    --busy_;
  }
  update_mask_locked();
}

void InterruptLine::disable() {
  SpinGuard<IrqSave> guard(lock);
  ++disabled_;
  update_mask_locked();
}
void InterruptLine::enable() {
  SpinGuard<IrqSave> guard(lock);
  base::debug_verify(disabled_ != 0, "interrupt line enabled more often than disabled");
  --disabled_;
  update_mask_locked();
}

base::Result<void> InterruptLine::set_affinity(const CpuMask& mask) {
  CpuMask usable = mask & online_cpus();
  if (usable.none()) return base::error(base::Errno::einval);
  SpinGuard<IrqSave> guard(lock);
  // The controller may have to stop the line while it changes its route.
  if (!masked_) controller.mask(hardware_number);
  base::Result<void> result = controller.configure(hardware_number, number, trigger, usable);
  if (!masked_) controller.unmask(hardware_number);
  if (result) affinity_ = usable;
  return result;
}

CpuMask InterruptLine::affinity() {
  SpinGuard<IrqSave> guard(lock);
  return affinity_;
}
bool InterruptLine::has_actions() {
  SpinGuard<IrqSave> guard(lock);
  return !actions.empty();
}

}  // namespace core
