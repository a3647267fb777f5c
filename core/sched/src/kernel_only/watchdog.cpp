#include "../watchdog.h"

#include <arch/smp.h>

#include "../run_queue.h"
#include "../thread_access.h"
#include "core/log/log.h"
#include "core/time/clock.h"
#include "core/time/timer.h"

namespace core {

namespace {

constexpr std::uint64_t interval_ns = 5 * ns_per_second;
constexpr unsigned named_waiters = 8;

void look_at_neighbour(Timer& timer);

struct Watchdog {
  Timer timer{look_at_neighbour, TimerContext::interrupt};
  WatchdogView view;
};
PER_CPU constinit PerCpu<Watchdog> watchdogs;

void look_at_neighbour(Timer& timer) {
  watchdog_look((arch::cpu_index() + 1) % arch::cpu_count(), watchdogs.local().view);
  timer.start(Deadline::after(interval_ns));
}

void put_name(LogLine& line, const Thread& thread) {
  auto name = thread.name();
  base::format(line, " {}", std::string_view(name.data()));
}

// The lock, which keeps the threads alive, is only tried for: the CPU may stand still with it held.
void put_threads(LogLine& line, RunQueue& rq) NO_THREAD_SAFETY_ANALYSIS {
  IrqSave interrupts_off;
  if (!rq.lock.try_acquire_raw()) {
    line.put("its run queue is locked");
    return;
  }
  line.put("it runs");
  put_name(line, *rq.running);
  line.put(", and these wait:");
  auto put = [&](SchedulingEntity& entity) {
    put_name(line, ThreadAccess::of_entity(entity));
    return false;
  };
  rq.queues.fixed().find(put, named_waiters);
  rq.queues.fair().find(put, named_waiters);
  rq.lock.release_raw();
}

void report(RunQueue& rq) {
  {
    LogLine line{LogLevel::error};
    base::format(line, "watchdog: CPU {} does not switch threads (reschedule asked for: {}): ", rq.cpu,
                 rq.reschedule_sent.load() ? "yes" : "no");
    put_threads(line, rq);
  }
  arch::send_non_maskable(rq.cpu);
}

}  // namespace

bool watchdog_look(unsigned cpu, WatchdogView& view) {
  RunQueue& rq = run_queues.on(cpu);
  // relaxed (all): looked at again and again.
  std::uint64_t passes = rq.passes.load(std::memory_order_relaxed);
  bool urgent_runs = rq.level.load(std::memory_order_relaxed) < 100;
  bool stands = rq.waiting.load(std::memory_order_relaxed) != 0 && !urgent_runs && passes == view.passes;
  view.passes = passes;
  view.looks = stands ? view.looks + 1 : 0;
  if (view.looks != WatchdogView::patience) return false;
  report(rq);
  return true;
}

void start_watchdog() {
  for_each_cpu([](unsigned cpu) { watchdogs.on(cpu).timer.start_on(cpu, Deadline::after(interval_ns)); });
}

}  // namespace core
