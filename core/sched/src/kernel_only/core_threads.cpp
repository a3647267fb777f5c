// The threads that the core itself needs.
#include <arch/cpu.h>

#include "../watchdog.h"
#include "core/init/init_step.h"
#include "core/sched/scheduler.h"
#include "core/sched/work_queue.h"
#include "core/sync/rcu.h"
#include "core/time/timer.h"
#include "load.h"

namespace core {

namespace {

constinit unsigned timer_threads = 0;  // CPUs that have theirs; changed by the boot only

base::Result<void> start_timer_thread(unsigned cpu) {
  char name[] = "ktimer/   ";
  unsigned digits = 7;
  if (cpu >= 100) name[digits++] = static_cast<char>('0' + cpu / 100);
  if (cpu >= 10) name[digits++] = static_cast<char>('0' + cpu / 10 % 10);
  name[digits++] = static_cast<char>('0' + cpu % 10);
  // SAFETY: a number in a pointer's clothes; timer_thread() takes it back.
  auto thread = TRY(Thread::create({name, digits}, timer_thread, reinterpret_cast<void*>(std::uintptr_t{cpu}),
                                   SchedulingParameters::fifo(50)));
  // The architecture counts a CPU a moment before its scheduler takes threads.
  while (!online_cpus().test(cpu)) yield();
  TRY(thread->set_affinity(CpuMask::single(cpu)));
  thread->start();
  return {};
}

base::Result<void> start_timer_threads() {
  for (; timer_threads < arch::cpu_count(); ++timer_threads) TRY(start_timer_thread(timer_threads));
  return {};
}

base::Result<void> start_secondary_timers() {
  TRY(start_timer_threads());
  start_watchdog();
  return {};
}

// The CPUs that came up after start_core_threads().
INIT_STEP secondary_timers{"sched.timer_threads", {}, start_secondary_timers, {"threads"}};

}  // namespace

base::Result<void> start_core_threads() {
  TRY(start_timer_threads());
  auto rcu = TRY(Thread::create("rcu", rcu_thread, nullptr, SchedulingParameters::fifo(1)));
  rcu->start();
  TRY(WorkQueue::system().start());
  TRY(WorkQueue::long_running().start());
  start_load_average();
  return {};
}

}  // namespace core
