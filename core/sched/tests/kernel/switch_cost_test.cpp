// What a switch between two threads costs, in counter ticks; with qemu -icount these are instructions.
#include <arch/time.h>

#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/sync/wait_queue.h"
#include "test_threads.h"

using namespace core;

KERNEL_TEST(sched, cost_of_a_switch) {
  constexpr unsigned rounds = 2000;
  std::atomic<unsigned> turn{0};
  WaitQueue queues[2];
  auto body = [&](unsigned index) {
    for (unsigned i = 0; i < rounds; ++i) {
      (void)!queues[index].wait(WaitMode::uninterruptible, [&] { return turn.load() % 2 == index; });
      turn.fetch_add(1);
      queues[1 - index].wake_one();
    }
  };
  std::uint64_t before = arch::nanoseconds();
  {
    TestThreads threads;
    threads.start(body, {}, 0);
    threads.start(body, {}, 0);
  }
  std::uint64_t each = (arch::nanoseconds() - before) / (2 * rounds);
  core::log(LogLevel::info, "sched: wake and switch between two threads: {} ns", each);
  core::test::expect_equal(turn.load(), 2 * rounds);
}
