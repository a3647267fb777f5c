// Threads for in-kernel tests: started together, waited for at the end of the scope.
#pragma once

#include <memory>
#include <new>

#include "core/sched/scheduler.h"
#include "core/sync/completion.h"
#include "core/test/test.h"

namespace core {

class TestThreads {
 public:
  static constexpr unsigned limit = 64;
  TestThreads() : slots_(new(std::nothrow) Slots) { test::expect(slots_ != nullptr, "no memory"); }
  ~TestThreads() { join(); }

  // `function` must live until join().
  template <typename Function>
  Thread* start(Function& function, const SchedulingParameters& parameters = {}, unsigned cpu = ~0u) {
    if (!slots_) return nullptr;
    Slot& slot = slots_->slot[count_];
    slot.call = [](void* callable, unsigned index) { (*static_cast<Function*>(callable))(index); };
    slot.callable = &function;
    slot.index = count_;
    auto thread = Thread::create("test", entry, &slot, parameters);
    if (!test::expect_ok(thread)) return nullptr;
    slot.thread = *thread;
    if (cpu != ~0u) test::expect_ok(slot.thread->set_affinity(CpuMask::single(cpu)));
    ++count_;
    slot.thread->start();
    return slot.thread.get();
  }
  template <typename Function>
  void start_many(unsigned count, Function& function, const SchedulingParameters& parameters = {}) {
    for (unsigned i = 0; i < count; ++i) start(function, parameters);
  }
  // Waits until all have returned and left their CPUs.
  void join() {
    for (; joined_ < count_; ++joined_) {
      slots_->slot[joined_].done.wait();
      slots_->slot[joined_].thread = nullptr;
    }
  }

 private:
  struct Slot {
    void (*call)(void*, unsigned) = nullptr;
    void* callable = nullptr;
    unsigned index = 0;
    base::RefPtr<Thread> thread;
    Completion done;
  };
  static void entry(void* argument) {
    auto& slot = *static_cast<Slot*>(argument);
    slot.call(slot.callable, slot.index);
    slot.done.complete();
  }
  struct Slots {
    Slot slot[limit];
  };
  std::unique_ptr<Slots> slots_;  // too large for a kernel stack
  unsigned count_ = 0, joined_ = 0;
};

// Spins until the condition holds, giving others the CPU; false after five seconds.
template <typename Condition>
bool eventually(Condition condition) {
  Deadline deadline = Deadline::after(5'000'000'000);
  while (!condition()) {
    if (deadline.is_over()) return false;
    (void)!sleep_until(Deadline::after(200'000), WaitMode::uninterruptible);
  }
  return true;
}

}  // namespace core
