// Grace periods.
//
// They are numbered. A CPU that has been seen outside of readers since number n began has its `seen` at n or
// above; the places where that is noticed are the context switch and an interrupt sent for the purpose
// (rcu_check_quiescent). A reader that is found inside at such a moment is put on the CPU's list of blocked
// readers, tagged with the number of the grace period that must wait for it, and from then on the CPU itself
// need not be waited for: the reader takes itself off at its outermost end. So grace period n is over when
// every CPU has seen >= n, or idles, and no list holds a tag <= n.
//
// Ordering. The writer unlinks, then (rcu thread) the number grows by a seq_cst operation. A CPU reads the
// number (acquire) when it reports, so readers that begin afterwards see the unlinking; its report is a
// release, so what readers did before it happens before the disposal. For idle CPUs a full fence on each side
// of the idle flag does the same.
#include "core/sync/rcu.h"

#include <arch/smp.h>

#include "core/sched/scheduler.h"
#include "core/sync/completion.h"
#include "core/sync/per_cpu.h"
#include "core/sync/wait_queue.h"
#include "core/time/clock.h"
#include "core/time/timer.h"

namespace core {

struct RcuCpu {
  std::atomic<std::uint64_t> seen{0};
  std::atomic<bool> idle{false};
  std::atomic<RcuHead*> retired{nullptr};
  SpinLock lock{"RcuCpu"};
  base::IntrusiveList<ThreadBase::RcuState, &ThreadBase::RcuState::hook> blocked GUARDED_BY(lock);
};

namespace {

constexpr std::uint64_t batch_delay_ns = 5 * ns_per_ms;  // objects retired meanwhile share a grace period
constexpr std::uint64_t poll_interval_ns = ns_per_ms;
constexpr unsigned polls_before_interrupts = 2;
constexpr std::uint64_t hurry_threshold = 20'000;  // objects waiting: no more delay

PER_CPU constinit PerCpu<RcuCpu> rcu_cpus;
constinit std::atomic<std::uint64_t> grace_period{1};  // the last one begun
constinit std::atomic<bool> requested{false};          // the thread will look at the lists
constinit std::atomic<bool> hurry{false};
constinit std::atomic<std::uint64_t> retired_count{0}, disposed_count{0}, forced_count{0}, finished_count{0};
constinit WaitQueue wanted{"rcu thread"};
constinit std::atomic<bool> due{false};
constinit Timer batch_timer{[](Timer&) {
                              due.store(true);
                              wanted.wake_one();
                            },
                            TimerContext::interrupt};

// This CPU is outside of readers, except for `state` if it is inside one. Interrupts off.
void report_quiescent(RcuCpu& cpu, ThreadBase::RcuState& state) {
  // acquire: see above.
  std::uint64_t number = grace_period.load(std::memory_order_acquire);
  std::uint64_t seen = cpu.seen.load(std::memory_order_relaxed);  // relaxed: only this CPU writes it
  if (state.nesting && !state.blocked) {
    SpinGuard<IrqsAlreadyOff> guard(cpu.lock);
    state.blocked = true;
    state.cpu = &cpu;
    // If this CPU was already seen outside during `number`, the reader began later and only the next one
    // waits for it.
    state.grace_period = seen == number ? number + 1 : number;
    cpu.blocked.push_back(state);
  }
  // release: see above.
  if (seen != number) cpu.seen.store(number, std::memory_order_release);
}

bool is_quiescent(unsigned index, std::uint64_t number) {
  RcuCpu& cpu = rcu_cpus.on(index);
  // acquire: pairs with the report.
  if (cpu.seen.load(std::memory_order_acquire) < number && !cpu.idle.load()) return false;
  SpinGuard<IrqSave> guard(cpu.lock);
  ThreadBase::RcuState* first = cpu.blocked.first();
  return !first || first->grace_period > number;
}

void wait_for_grace_period(std::uint64_t number) {
  unsigned cpu = 0;
  for (unsigned poll = 0;; ++poll) {
    {
      arch::InterruptsOff off;
      report_quiescent(rcu_cpus.local(), ThreadBase::current().rcu);
    }
    unsigned cpus = arch::cpu_count();
    while (cpu < cpus && is_quiescent(cpu, number)) ++cpu;
    if (cpu == cpus) return;
    if (poll >= polls_before_interrupts || hurry.load()) {
      for (unsigned other = cpu; other < cpus; ++other) {
        // acquire: as in is_quiescent.
        if (rcu_cpus.on(other).seen.load(std::memory_order_acquire) >= number ||
            rcu_cpus.on(other).idle.load())
          continue;
        forced_count.fetch_add(1, std::memory_order_relaxed);
        arch::call_on_cpu(other, [] { rcu_check_quiescent(); });
      }
      if (is_quiescent(cpu, number)) continue;
    }
    sleep_for(poll_interval_ns);
  }
}

// Everything retired so far, oldest first within each CPU.
RcuHead* take_retired() {
  RcuHead* all = nullptr;
  for_each_cpu([&](unsigned cpu) {
    // acquire: what the retiring CPU did to the object is visible.
    RcuHead* list = rcu_cpus.on(cpu).retired.exchange(nullptr, std::memory_order_acquire);
    while (list) {
      RcuHead* next = list->next;
      list->next = all;
      all = list;
      list = next;
    }
  });
  return all;
}

void start_soon() {
  if (hurry.load(std::memory_order_relaxed) ||
      retired_count.load(std::memory_order_relaxed) - disposed_count.load(std::memory_order_relaxed) >
          hurry_threshold) {
    if (!due.exchange(true)) wanted.wake_one();
    return;
  }
  // seq_cst: whoever turns it on is the only one to start the timer.
  if (!requested.load() && !requested.exchange(true)) batch_timer.start(Deadline::after(batch_delay_ns));
}

struct Waiting {
  RcuHead head;
  Completion done;
};

}  // namespace

void rcu_retire(RcuHead& head, void (*function)(RcuHead&)) {
  head.function = function;
  auto& list = rcu_cpus.local_unchecked().retired;
  RcuHead* first = list.load(std::memory_order_relaxed);
  do {
    head.next = first;
    // release: the object's state goes with it.
  } while (!list.compare_exchange_weak(first, &head, std::memory_order_release, std::memory_order_relaxed));
  retired_count.fetch_add(1, std::memory_order_relaxed);
  start_soon();
}

void rcu_synchronize() {
  base::debug_verify(!rcu_is_reading(), "rcu_synchronize inside a reader");
  Waiting waiting;
  rcu_retire(waiting.head, [](RcuHead& head) { base::container_of(&head, &Waiting::head)->done.complete(); });
  // Somebody waits: no batching.
  if (!due.exchange(true)) wanted.wake_one();
  waiting.done.wait();
}

void rcu_synchronize_expedited() {
  hurry.store(true);
  rcu_synchronize();
}

void rcu_expedite() {
  hurry.store(true);
  if (!due.exchange(true)) wanted.wake_one();
}

// Batches are disposed of one after the other.
void rcu_barrier() {
  // The first may end in the middle of a batch; the second begins after it.
  rcu_synchronize();
  rcu_synchronize();
}

void rcu_read_end_special() {
  auto& state = ThreadBase::current().rcu;
  arch::InterruptsOff off;
  if (!state.blocked) return;
  SpinGuard<IrqsAlreadyOff> guard(state.cpu->lock);
  state.cpu->blocked.remove(state);
  state.blocked = false;
}

void rcu_note_context_switch(ThreadBase& leaving) {
  report_quiescent(rcu_cpus.local_unchecked(), leaving.rcu);
}
void rcu_check_quiescent() {
  arch::InterruptsOff off;
  report_quiescent(rcu_cpus.local_unchecked(), ThreadBase::current().rcu);
}

void rcu_idle_enter() {
  // Full barrier: what this CPU read comes before it counts as idle.
  rcu_cpus.local_unchecked().idle.store(true);
}
void rcu_idle_exit() {
  // Full barrier: it reads shared data only after it no longer counts as idle.
  rcu_cpus.local_unchecked().idle.store(false);
}

void rcu_thread(void*) {
  for (;;) {
    (void)!wanted.wait(WaitMode::interruptible, [] { return due.load(); });
    due.store(false);
    requested.store(false);
    RcuHead* list = take_retired();
    if (!list) {
      hurry.store(false);
      continue;
    }
    // seq_cst: see above.
    std::uint64_t number = grace_period.fetch_add(1) + 1;
    wait_for_grace_period(number);
    finished_count.fetch_add(1, std::memory_order_relaxed);
    hurry.store(false);
    std::uint64_t count = 0;
    while (list) {
      RcuHead* next = list->next;
      list->function(*list);
      list = next;
      ++count;
    }
    disposed_count.fetch_add(count, std::memory_order_relaxed);
  }
}

RcuStatistics rcu_statistics() {
  return {.grace_periods = finished_count.load(std::memory_order_relaxed),
          .retired = retired_count.load(std::memory_order_relaxed),
          .disposed = disposed_count.load(std::memory_order_relaxed),
          .forced_interrupts = forced_count.load(std::memory_order_relaxed)};
}

}  // namespace core
