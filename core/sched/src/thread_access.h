// The inside of Thread, for the sources of this module only.
#pragma once

#include "core/sched/thread.h"

namespace core {

struct ThreadAccess {
  using Sleep = Thread::Sleep;
  using QueueState = Thread::QueueState;
  static Thread* allocate() { return new (std::nothrow) Thread; }
  static Thread* construct_at(void* memory) { return new (memory) Thread; }
  static void free(Thread* thread) { delete thread; }

  static auto& sleep(Thread& t) { return t.sleep_; }
  static auto& sleep(const Thread& t) { return t.sleep_; }
  static auto& entry(Thread& t) { return t.entry_; }
  static auto& argument(Thread& t) { return t.argument_; }
  static auto& dead(Thread& t) { return t.dead_; }
  static auto& started(Thread& t) { return t.started_; }
  static auto& entity(Thread& t) { return t.entity_; }
  static auto& cpu(Thread& t) { return t.cpu_; }
  static auto& queue_state(Thread& t) { return t.queue_state_; }
  static auto& counted_uninterruptible(Thread& t) { return t.counted_uninterruptible_; }
  static auto& on_cpu(Thread& t) { return t.on_cpu_; }
  static auto& on_cpu(const Thread& t) { return t.on_cpu_; }
  static auto& saved_preempt_count(Thread& t) { return t.saved_preempt_count_; }
  static auto& parameters_lock(Thread& t) { return t.parameters_lock_; }
  // The caller holds parameters_lock or the thread is not shared yet.
  static auto& parameters(Thread& t) NO_THREAD_SAFETY_ANALYSIS { return t.parameters_; }
  // The caller holds the lock of the run queue that the thread belongs to.
  static auto& affinity(Thread& t) { return t.affinity_; }
  static auto& stack_bottom(Thread& t) { return t.stack_bottom_; }
  static auto& stack_size(Thread& t) { return t.stack_size_; }
  static auto& user_ticks(Thread& t) { return t.user_ticks_; }
  static auto& switched_in_at_ns(Thread& t) { return t.switched_in_at_ns_; }
  static auto& run_ns(Thread& t) { return t.run_ns_; }
  static auto& user_clock_paused(Thread& t) { return t.user_clock_paused_; }
  static auto& wait_ns(Thread& t) { return t.wait_ns_; }
  static auto& runnable_since_ns(Thread& t) { return t.runnable_since_ns_; }
  static auto& switches(Thread& t) { return t.switches_; }
  static std::atomic<std::uint32_t>* switch_word(Thread& t) { return t.switch_word_; }
  static std::uint32_t switch_bits(Thread& t) { return t.switch_bits_; }
  static auto& involuntary_switches(Thread& t) { return t.involuntary_switches_; }
  static auto& start_time_ns(Thread& t) { return t.start_time_ns_; }
  static auto& user_ticks_charged(Thread& t) { return t.user_ticks_charged_; }
  static auto& rcu_head(Thread& t) { return t.rcu_head_; }
  static Thread& of_entity(SchedulingEntity& entity) {
    return *base::container_of(&entity, &Thread::entity_);
  }
  static Thread& of_rcu_head(RcuHead& head) { return *base::container_of(&head, &Thread::rcu_head_); }
};

inline WaitMode mode_of(ThreadAccess::Sleep sleep) {
  switch (sleep) {
    case ThreadAccess::Sleep::interruptible:
      return WaitMode::interruptible;
    case ThreadAccess::Sleep::killable:
      return WaitMode::killable;
    default:
      return WaitMode::uninterruptible;
  }
}

}  // namespace core
