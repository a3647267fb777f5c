// Whose time it was: figures for threads, CPUs and the load average.
#include <arch/time.h>

#include "../run_queue.h"
#include "../thread_access.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "load.h"

namespace core {

namespace {

std::uint64_t ticks_to_ns(std::uint64_t ticks) {
  const auto& scale = arch::counter_scale();
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(ticks) * scale.multiplier) >>
                                    scale.shift);
}

// relaxed (everywhere here): statistics.
std::uint64_t get(const std::atomic<std::uint64_t>& value) { return value.load(std::memory_order_relaxed); }

// Of Thread::user_ticks_: what it amounts to now.
std::uint64_t user_ticks_now(std::int64_t ticks) {
  if (ticks < 0) ticks += static_cast<std::int64_t>(arch::counter());
  return ticks > 0 ? static_cast<std::uint64_t>(ticks) : 0;
}

}  // namespace

std::uint64_t Thread::user_ns() const {
  return ticks_to_ns(user_ticks_now(user_ticks_.load(std::memory_order_relaxed)));
}
std::uint64_t Thread::runtime_ns() const {
  std::uint64_t total = get(run_ns_);
  if (std::uint64_t since = get(switched_in_at_ns_)) {
    std::uint64_t now = arch::nanoseconds();
    if (now > since) total += now - since;
  }
  return total;
}
std::uint64_t Thread::system_ns() const {
  std::uint64_t user = user_ns(), total = runtime_ns();
  return total > user ? total - user : 0;
}
std::uint64_t Thread::wait_ns() const { return get(wait_ns_); }

// Relaxed loads and stores, not read-modify-write: a switch in between adds and takes away what the stopped
// clock missed, and whichever of the two stores comes last is right.
void Thread::account_user_enter() {
  std::int64_t now = static_cast<std::int64_t>(arch::counter_unordered());
  user_ticks_.store(user_ticks_.load(std::memory_order_relaxed) - now, std::memory_order_relaxed);
}
void Thread::account_user_leave() {
  std::int64_t now = static_cast<std::int64_t>(arch::counter_unordered());
  user_ticks_.store(user_ticks_.load(std::memory_order_relaxed) + now, std::memory_order_relaxed);
}

// User time is charged to the CPU when a thread leaves it, so what the running one has used since is added
// here.
CpuStatistics cpu_statistics(unsigned cpu) {
  RunQueue& rq = run_queues.on(cpu);
  SpinGuard<IrqSave> guard(rq.lock);
  CpuStatistics& result = rq.reported;
  std::uint64_t now = arch::nanoseconds(), since = get(rq.switched_at_ns);
  std::uint64_t running_ns = now > since ? now - since : 0;
  std::uint64_t busy = get(rq.busy_ns), idle = get(rq.idle_ns);
  std::uint64_t user = get(rq.user_ticks), nice = get(rq.nice_ticks);
  if (rq.running == rq.idle) {
    idle += running_ns;
  } else {
    busy += running_ns;
    Thread& thread = *rq.running;
    std::int64_t ticks = static_cast<std::int64_t>(
        user_ticks_now(ThreadAccess::user_ticks(thread).load(std::memory_order_relaxed)));
    std::int64_t charged = ThreadAccess::user_ticks_charged(thread);
    std::uint64_t fresh = ticks > charged ? static_cast<std::uint64_t>(ticks - charged) : 0;
    (ThreadAccess::entity(thread).weight < fair_unit_weight ? nice : user) += fresh;
  }
  auto raise = [](std::uint64_t& figure, std::uint64_t value) {
    if (value > figure) figure = value;
  };
  raise(result.user_ns, ticks_to_ns(user));
  raise(result.nice_ns, ticks_to_ns(nice));
  raise(result.idle_ns, idle);
  std::uint64_t in_user = result.user_ns + result.nice_ns;
  if (busy > in_user) raise(result.system_ns, busy - in_user);
  result.context_switches = get(rq.switches);
  result.runnable = rq.runnable.load(std::memory_order_relaxed);
  return result;
}

std::uint32_t runnable_threads() {
  std::uint32_t total = 0;
  for_each_cpu([&](unsigned cpu) { total += run_queues.on(cpu).runnable.load(std::memory_order_relaxed); });
  return total;
}
std::uint32_t uninterruptible_threads() {
  std::int64_t total = 0;
  for_each_cpu(
      [&](unsigned cpu) { total += run_queues.on(cpu).uninterruptible.load(std::memory_order_relaxed); });
  return total > 0 ? static_cast<std::uint32_t>(total) : 0;
}
std::uint64_t context_switches() {
  std::uint64_t total = 0;
  for_each_cpu([&](unsigned cpu) { total += get(run_queues.on(cpu).switches); });
  return total;
}

// --- Load average: every 5 seconds, as Linux samples it.

namespace {

constexpr std::uint64_t sample_interval_ns = 5 * ns_per_second;
constexpr std::uint64_t one = 1 << LoadAverage::fraction_bits;
constexpr std::uint64_t decay[3] = {1884, 2014, 2037};  // one / e^(5/60), e^(5/300), e^(5/900)

constinit std::atomic<std::uint64_t> averages[3] = {};
constinit std::uint64_t next_sample_ns = 0;

void sample_load(Timer& timer) {
  std::uint64_t active = (runnable_threads() + uninterruptible_threads()) * one;
  for (unsigned i = 0; i < 3; ++i) {
    std::uint64_t old = averages[i].load(std::memory_order_relaxed);
    std::uint64_t sum = old * decay[i] + active * (one - decay[i]);
    if (active >= old) sum += one - 1;
    averages[i].store(sum / one, std::memory_order_relaxed);
  }
  next_sample_ns += sample_interval_ns;
  timer.start(Deadline::at(next_sample_ns));
}
constinit Timer load_timer{sample_load, TimerContext::interrupt};

}  // namespace

void start_load_average() {
  next_sample_ns = monotonic_ns() + sample_interval_ns;
  load_timer.start(Deadline::at(next_sample_ns));
}

LoadAverage load_average() {
  LoadAverage result;
  for (unsigned i = 0; i < 3; ++i) result.average[i] = averages[i].load(std::memory_order_relaxed);
  return result;
}

}  // namespace core
