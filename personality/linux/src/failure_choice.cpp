// /proc/PID/make-it-fail and /proc/PID/fail-nth: what a task wants to become of its allocations.
#include "core/init/init_step.h"
#include "core/memory/failure_injection.h"
#include "linux_abi/task.h"

namespace linux_abi {

namespace {

// relaxed throughout: a test aid; only the thread itself counts down.
core::FailureChoice choice_of_current_task() {
  Task* task = current_task_or_null();
  if (!task) return core::FailureChoice::exempt;
  if (std::uint32_t left = task->fail_nth.load(std::memory_order_relaxed)) {
    task->fail_nth.store(left - 1, std::memory_order_relaxed);
    if (left == 1) return core::FailureChoice::fails_now;
  }
  return task->make_it_fail.load(std::memory_order_relaxed) ? core::FailureChoice::eligible
                                                            : core::FailureChoice::exempt;
}

Result<void> install_failure_choice() {
  core::set_failure_injection_filter(choice_of_current_task);
  return {};
}
INIT_STEP failure_choice_step{"personality.failures", {"threads"}, install_failure_choice, {"personality"}};

}  // namespace

}  // namespace linux_abi
