// Which CPU a thread runs on: when it wakes, when a CPU has nothing to do, and when the load has become
// uneven.
#include <arch/smp.h>
#include <arch/time.h>

#include "../run_queue.h"
#include "../thread_access.h"

namespace core {

namespace {

constexpr std::uint64_t balance_interval_ns = 8'000'000;
constexpr unsigned search_limit = 32;  // waiting threads looked at under one lock

struct AtomicMask {
  std::atomic<std::uint64_t> words[CpuMask::capacity / 64];
  void set(unsigned cpu, bool value) {
    std::uint64_t bit = std::uint64_t{1} << (cpu % 64);
    // relaxed: hints; the run queues' locks decide.
    if (value)
      words[cpu / 64].fetch_or(bit, std::memory_order_relaxed);
    else
      words[cpu / 64].fetch_and(~bit, std::memory_order_relaxed);
  }
  bool test(unsigned cpu) const { return words[cpu / 64].load(std::memory_order_relaxed) >> (cpu % 64) & 1; }
  bool any() const {
    std::uint64_t all = 0;
    for (const auto& word : words) all |= word.load(std::memory_order_relaxed);
    return all != 0;
  }
  CpuMask snapshot() const {
    CpuMask mask;
    for (unsigned i = 0; i < CpuMask::capacity / 64; ++i)
      mask.words()[i] = words[i].load(std::memory_order_relaxed);
    return mask;
  }
};
constinit AtomicMask idle_cpus{};
constinit AtomicMask urgent_waiting{};  // CPUs on which a deadline or fixed-priority thread waits
constinit std::atomic<unsigned> urgent_waiting_count{0};

unsigned level_of(const SchedulingEntity& entity) {
  return entity.scheduling_class == SchedulingClass::deadline ? 0 : 100u - entity.priority;
}
unsigned hint_level(unsigned cpu) { return run_queues.on(cpu).level.load(std::memory_order_relaxed); }

// The CPU among `allowed` that runs the least urgent thread.
unsigned least_urgent(const CpuMask& allowed, unsigned previous) {
  unsigned best = previous;
  unsigned best_level = allowed.test(previous) ? hint_level(previous) : 0;
  if (!allowed.test(previous)) best = allowed.first();
  allowed.for_each([&](unsigned cpu) {
    unsigned level = hint_level(cpu);
    if (level > best_level) {
      best = cpu;
      best_level = level;
    }
  });
  return best;
}

// The waiting thread of `from` that `to` may take; most urgent class first. Both locked.
SchedulingEntity* find_movable(RunQueue& from, unsigned to, bool urgent_only, unsigned better_than)
    REQUIRES(from.lock) {
  auto movable = [&](SchedulingEntity& entity) {
    Thread& thread = ThreadAccess::of_entity(entity);
    return may_run_on(thread, to) &&
           !(entity.scheduling_class == SchedulingClass::deadline && entity.dl_throttled);
  };
  if (SchedulingEntity* first = from.queues.deadline().first(); first && better_than > 0 && movable(*first))
    return first;
  if (SchedulingEntity* fixed = from.queues.fixed().find(movable, search_limit);
      fixed && level_of(*fixed) < better_than)
    return fixed;
  return urgent_only ? nullptr : from.queues.fair().find(movable, search_limit);
}

// Both locked.
void move_locked(RunQueue& from, RunQueue& to, SchedulingEntity& entity, std::uint64_t now_ns)
    REQUIRES(from.lock, to.lock) {
  Thread& thread = ThreadAccess::of_entity(entity);
  from.queues.account(now_ns);
  from.queues.remove(entity);
  update_hints_locked(from);
  // release: whoever locks the new queue because of it sees the thread there.
  ThreadAccess::cpu(thread).store(to.cpu, std::memory_order_release);
  enqueue_locked(to, thread, ClassQueues::Reason::moved, now_ns);
}

// A second run queue: waited for in the order of the CPUs' numbers, against it only tried for. Whoever asked
// us to come may still hold its lock, so a CPU that finds it busy looks again at once.
bool lock_second(RunQueue& rq, RunQueue& other) NO_THREAD_SAFETY_ANALYSIS {
  if (other.cpu > rq.cpu) {
    other.lock.acquire_raw();
    return true;
  }
  if (other.lock.try_acquire_raw()) return true;
  rq.look_again = true;
  return false;
}

}  // namespace

void mark_idle(unsigned cpu, bool is_idle) { idle_cpus.set(cpu, is_idle); }

unsigned choose_cpu(Thread& thread, unsigned previous) {
  // The usual cases, without looking at all CPUs.
  if (arch::cpu_count() == 1) return previous;
  bool may_return = ThreadAccess::affinity(thread).test(previous) && online_cpus().test(previous);
  if (may_return && idle_cpus.test(previous)) return previous;
  // Everybody has something to do: back to where its memory may still be cached.
  if (may_return && !idle_cpus.any() && !is_urgent(ThreadAccess::entity(thread))) return previous;
  CpuMask allowed = ThreadAccess::affinity(thread) & online_cpus();
  if (allowed.none()) allowed = online_cpus();  // set_affinity refuses this; CPUs never go away
  CpuMask idle = allowed & idle_cpus.snapshot();
  unsigned self = arch::cpu_index();
  if (is_urgent(ThreadAccess::entity(thread))) {
    if (allowed.test(previous) && hint_level(previous) > level_of(ThreadAccess::entity(thread)) &&
        idle.none())
      return previous;
    return idle.any() ? idle.first() : least_urgent(allowed, previous);
  }
  if (idle.test(self)) return self;
  if (unsigned cpu = idle.next(previous); cpu != CpuMask::none_found) return cpu;
  if (idle.any()) return idle.first();
  if (allowed.test(previous)) return previous;
  return allowed.test(self) ? self : allowed.first();
}

bool pull_when_idle(RunQueue& rq, std::uint64_t now_ns) NO_THREAD_SAFETY_ANALYSIS {
  unsigned cpus = arch::cpu_count();
  for (unsigned i = 1; i < cpus; ++i) {
    RunQueue& other = run_queues.on((rq.cpu + i) % cpus);
    if (other.waiting.load(std::memory_order_relaxed) == 0) continue;
    if (!lock_second(rq, other)) continue;
    SchedulingEntity* entity = find_movable(other, rq.cpu, false, ~0u);
    if (entity) move_locked(other, rq, *entity, now_ns);
    other.lock.release_raw();
    if (entity) return true;
  }
  return false;
}

void pull_urgent(RunQueue& rq, std::uint64_t now_ns) NO_THREAD_SAFETY_ANALYSIS {
  // relaxed: a CPU that is asked to come sees the count, because the request comes after it.
  if (urgent_waiting_count.load(std::memory_order_relaxed) == 0) return;
  // The best that waits here already.
  unsigned mine = ~0u;
  if (rq.queues.deadline().first())
    mine = 0;
  else if (SchedulingEntity* fixed = rq.queues.fixed().first())
    mine = level_of(*fixed);
  CpuMask sources = urgent_waiting.snapshot();
  sources.clear(rq.cpu);
  sources.for_each([&](unsigned cpu) NO_THREAD_SAFETY_ANALYSIS {
    RunQueue& other = run_queues.on(cpu);
    if (!lock_second(rq, other)) return;
    if (SchedulingEntity* entity = find_movable(other, rq.cpu, true, mine)) {
      mine = level_of(*entity);
      move_locked(other, rq, *entity, now_ns);
    }
    other.lock.release_raw();
  });
}

void offer_urgent(RunQueue& rq) {
  SchedulingEntity* first = rq.queues.deadline().empty() ? nullptr : rq.queues.deadline().first();
  if (!first && !rq.queues.fixed().empty()) first = rq.queues.fixed().first();
  bool was = urgent_waiting.test(rq.cpu);
  if (!first) {
    if (!was) return;
    urgent_waiting.set(rq.cpu, false);
    urgent_waiting_count.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  if (arch::cpu_count() == 1) return;
  if (!was) {
    urgent_waiting.set(rq.cpu, true);
    urgent_waiting_count.fetch_add(1, std::memory_order_relaxed);
  }
  CpuMask allowed = ThreadAccess::affinity(ThreadAccess::of_entity(*first)) & online_cpus();
  allowed.clear(rq.cpu);
  if (allowed.none()) return;
  unsigned target = least_urgent(allowed, allowed.first());
  if (hint_level(target) > level_of(*first)) request_reschedule(run_queues.on(target));
}

void push_for_balance(RunQueue& rq, std::uint64_t now_ns) NO_THREAD_SAFETY_ANALYSIS {
  unsigned waiting = rq.queues.waiting();
  if (waiting == 0 || now_ns < rq.next_balance_ns) return;
  rq.next_balance_ns = now_ns + balance_interval_ns;
  unsigned runnable = rq.queues.runnable();
  RunQueue* least = nullptr;
  unsigned least_runnable = runnable - 1;
  for_each_cpu([&](unsigned cpu) {
    unsigned theirs = run_queues.on(cpu).runnable.load(std::memory_order_relaxed);
    if (cpu == rq.cpu || theirs >= least_runnable) return;
    least = &run_queues.on(cpu);
    least_runnable = theirs;
  });
  if (!least || runnable < least_runnable + 2 || !least->lock.try_acquire_raw()) return;
  if (SchedulingEntity* entity = find_movable(rq, least->cpu, false, ~0u))
    move_locked(rq, *least, *entity, now_ns);
  least->lock.release_raw();
}

// The thread belongs to the queue of its CPU also on the way: set_affinity() and wake() hold that lock when
// they look at its state, so it is sent on under that lock only, and its affinity may have changed before it
// arrives.
void place_moving_thread(Thread& thread, ClassQueues::Reason reason) {
  {
    RunQueue& from = run_queues.on(thread.last_cpu());
    SpinGuard<IrqsAlreadyOff> guard(from.lock);
    unsigned target = choose_cpu(thread, from.cpu);
    if (target == from.cpu) {
      enqueue_locked(from, thread, reason, arch::nanoseconds());
      return;
    }
    // release: as in move_locked.
    ThreadAccess::cpu(thread).store(target, std::memory_order_release);
  }
  finish_move(thread, reason);
}

void finish_move(Thread& thread, ClassQueues::Reason reason) {
  {
    RunQueue& to = run_queues.on(thread.last_cpu());
    SpinGuard<IrqsAlreadyOff> guard(to.lock);
    if (may_run_on(thread, to.cpu)) {
      enqueue_locked(to, thread, reason, arch::nanoseconds());
      return;
    }
  }
  place_moving_thread(thread, reason);
}

}  // namespace core
