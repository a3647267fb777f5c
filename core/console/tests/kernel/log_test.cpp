#include <arch/cpu.h>

#include "core/console/log_wait.h"
#include "core/log/log.h"
#include "core/log/log_reader.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/sync/completion.h"
#include "core/sync/preempt.h"
#include "core/test/test.h"

namespace core {
namespace {

using test::expect, test::expect_equal, test::expect_ok;
constexpr std::uint64_t second_ns = 1'000'000'000;

struct Waiter {
  Completion waiting, done;
  bool woken = false;

  static void run(void* argument) {
    auto& self = *static_cast<Waiter*>(argument);
    LogReader reader{LogReader::Start::newest};
    self.waiting.complete();
    self.woken =
        log_wait_queue()
            .wait(
                WaitMode::uninterruptible, [&] { return reader.has_next(); }, Deadline::after(2 * second_ns))
            .has_value();
    self.done.complete();
  }
};

// Stores a record by means of `store` while another thread waits for one.
template <typename Store>
void expect_wake(const char* what, Store store) {
  Waiter waiter;
  auto thread = Thread::create("log reader", Waiter::run, &waiter);
  if (!expect_ok(thread)) return;
  (*thread)->start();
  waiter.waiting.wait();
  sleep_for(second_ns / 100);
  store();
  waiter.done.wait();
  expect(waiter.woken, what);
}

KERNEL_TEST(log, wakes_readers_in_every_context) {
  expect_wake("thread context", [] { log(LogLevel::debug, "log test: thread"); });
  expect_wake("preemption off", [] {
    PreemptOff off;
    log(LogLevel::debug, "log test: preemption off");
  });
  expect_wake("interrupts off", [] {
    arch::InterruptsOff off;
    log(LogLevel::debug, "log test: interrupts off");
  });
}

KERNEL_TEST(log, keeps_order_and_contents) {
  LogReader reader{LogReader::Start::newest};
  for (int i = 0; i < 100; ++i) log(LogLevel::debug, "log test {}", i);
  LogRecord record;
  int next = 0;
  std::uint64_t time_ns = 0;
  while (next < 100 && reader.next(record) == LogRead::record) {
    char memory[40];
    base::TextBuffer text{memory};
    base::format(text, "log test {}", next);
    if (record.view() != text.view()) continue;  // somebody else's
    expect(record.time_ns >= time_ns, "time goes on");
    time_ns = record.time_ns;
    ++next;
  }
  expect_equal(next, 100);
}

}  // namespace
}  // namespace core
