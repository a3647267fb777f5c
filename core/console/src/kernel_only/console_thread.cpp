// The thread that prints the log, so that nobody who logs waits for a serial line.
#include <arch/cpu.h>
#include <arch/smp.h>

#include "core/console/log_wait.h"
#include "core/init/init_step.h"
#include "core/log/console.h"
#include "core/log/log.h"
#include "core/log/log_reader.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"

namespace core {
namespace {

void wake_readers() {
  if (log_wait_queue().has_waiters()) log_wait_queue().wake_all();
}

// Any context. Waking takes locks of the scheduler, which the caller may hold if preemption or interrupts are
// off.
void note_record() {
  if (!log_wait_queue().has_waiters()) return;
  if (arch::interrupts_enabled() && arch::preempt_count() == 0) return wake_readers();
  log_wake_wanted.store(true);
  // The pass of the scheduler that delivers it: when preemption is on again, or with the next interrupt.
  arch::set_need_reschedule();
  arch::send_reschedule(arch::cpu_index());
}

void print_forever(void*) {
  std::uint64_t seen = 0;
  for (;;) {
    // Interruptible, though nobody interrupts it: a thread that waits for work is no load.
    (void)!log_wait_queue().wait(WaitMode::interruptible, [&] { return log_next_sequence() != seen; });
    seen = log_next_sequence();
    print_pending_records();
  }
}

base::Result<void> start_console_thread() {
  auto thread = TRY(Thread::create("console", print_forever, nullptr));
  set_log_wake(wake_readers);
  add_log_listener(note_record);
  thread->start();
  // Printing is the listener's business as well, so the console layer itself has nobody to wake.
  start_console_thread_mode({.wake = [] {}, .pause = yield});
  wake_readers();
  return {};
}

INIT_STEP console_thread_step{"console.thread", {"threads"}, start_console_thread, {"interrupts"}};

}  // namespace
}  // namespace core
