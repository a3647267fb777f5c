#include "core/sync/lockdep.h"

#if NOS_DEBUG

#include <arch/cpu.h>

#include <atomic>
#include <cstring>
#include <string_view>

#include "core/log/log.h"
#include "core/sync/cpu_mask.h"
#include "core/sync/interrupt_depth.h"
#include "core/sync/preempt.h"
#include "core/sync/thread_base.h"

namespace core {
namespace {

// A node of the graph is a class together with a nesting level.
constexpr unsigned max_keys = 1536;
constexpr unsigned max_edges = 16384;

struct Key {
  const char* name = nullptr;
  const char* file = nullptr;
  int line = 0;
  LockNesting nesting = LockNesting::normal;
  LockKind kind = LockKind::spin;
  std::uint16_t levels[lock_nesting_levels] = {};       // keys of the same class
  std::atomic<const void*> used_in_interrupt{nullptr};  // where
  std::atomic<const void*> held_with_interrupts_on{nullptr};
};

struct Edge {
  std::uint16_t from = 0, to = 0;
  const void* from_place = nullptr;
  const void* to_place = nullptr;
};

constinit Key keys[max_keys];
constinit std::uint16_t key_count = 1;  // 0 means "none"
constinit std::atomic<std::uint64_t> edge_bits[max_keys][max_keys / 64];
constinit Edge edges[max_edges];
constinit unsigned edge_count = 0;
constinit std::uint16_t search_queue[max_keys];
constinit std::uint16_t search_parent[max_keys];
constinit std::atomic<bool> graph_lock{false};
constinit std::atomic<bool> enabled{true};
constinit std::atomic<unsigned> report_count{0};

// Lockdep's own lock: nothing inside takes another.
class GraphGuard {
 public:
  GraphGuard() {
    // acquire, release: protects the tables above.
    while (graph_lock.exchange(true, std::memory_order_acquire)) arch::relax();
  }
  ~GraphGuard() { graph_lock.store(false, std::memory_order_release); }

 private:
  arch::InterruptsOff interrupts_off_;
};

bool edge_known(unsigned from, unsigned to) {
  // relaxed: a stale no leads to the slow path, which looks again.
  return edge_bits[from][to / 64].load(std::memory_order_relaxed) & (std::uint64_t{1} << (to % 64));
}

bool same_text(const char* a, const char* b) {
  return a == b || (a && b && std::string_view(a) == std::string_view(b));
}

std::uint16_t add_key(const LockClass& lock_class, LockNesting nesting, LockKind kind) {
  if (key_count == max_keys) return 0;
  Key& key = keys[key_count];
  key.name = lock_class.name();
  key.file = lock_class.file();
  key.line = lock_class.line();
  key.nesting = nesting;
  key.kind = kind;
  return key_count++;
}

std::uint16_t key_of(const LockClass& lock_class, LockNesting nesting, LockKind kind) {
  auto level = nesting == LockNesting::chain ? 0 : static_cast<unsigned>(nesting);
  // acquire: the key's text is there when its number is.
  std::uint16_t number = lock_class.number().load(std::memory_order_acquire);
  if (number && (level == 0 || keys[number].levels[level]))
    return level ? keys[number].levels[level] : number;
  GraphGuard guard;
  if (!number) {
    for (std::uint16_t i = 1; i < key_count && !number; ++i) {
      // The members that one constructor initialises share a line: a mutex and a wait queue may well share a
      // name.
      bool same_kind = (keys[i].kind == LockKind::spin) == (kind == LockKind::spin);
      if (keys[i].nesting == LockNesting::normal && same_kind && keys[i].line == lock_class.line() &&
          same_text(keys[i].name, lock_class.name()) && same_text(keys[i].file, lock_class.file()))
        number = i;
    }
    if (!number) number = add_key(lock_class, LockNesting::normal, kind);
    lock_class.number().store(number, std::memory_order_release);
  }
  if (!number || level == 0) return number;
  if (!keys[number].levels[level]) keys[number].levels[level] = add_key(lock_class, nesting, kind);
  return keys[number].levels[level];
}

// --- Reports.

void describe(LogLine& line, unsigned number) {
  const Key& key = keys[number];
  const char* kinds[] = {"spin", "mutex", "rw", "rw"};
  base::format(line, "{} ({}, {}:{}", key.name ? key.name : "unnamed", kinds[static_cast<unsigned>(key.kind)],
               key.file ? key.file : "?", key.line);
  if (key.nesting != LockNesting::normal)
    base::format(line, ", nesting {}", static_cast<unsigned>(key.nesting));
  line.put(")");
}

void print_held(const HeldLocks& held) {
  for (unsigned i = 0; i < held.count; ++i) {
    LogLine line{LogLevel::error};
    base::format(line, "lockdep:   held {}: ", i);
    describe(line, held.entries[i].key);
    base::format(line, " lock {} taken at {}", held.entries[i].lock, held.entries[i].place);
  }
}

// The first report switches lockdep off: what follows from a broken order is noise.
bool begin_report(const char* what) {
  if (!enabled.exchange(false)) return false;
  report_count.fetch_add(1);
  log(LogLevel::error, "lockdep: {}", what);
  return true;
}

const Edge* find_edge(unsigned from, unsigned to) {
  for (unsigned i = 0; i < edge_count; ++i)
    if (edges[i].from == from && edges[i].to == to) return &edges[i];
  return nullptr;
}

// Breadth first from `from`; true if `to` can be reached, with the way in search_parent.
bool find_path(std::uint16_t from, std::uint16_t to) {
  std::memset(search_parent, 0, sizeof(search_parent));
  unsigned head = 0, tail = 0;
  search_queue[tail++] = from;
  search_parent[from] = from;
  while (head < tail) {
    std::uint16_t at = search_queue[head++];
    if (at == to) return true;
    for (unsigned word = 0; word < max_keys / 64; ++word) {
      std::uint64_t bits = edge_bits[at][word].load(std::memory_order_relaxed);
      for (; bits; bits &= bits - 1) {
        auto next = static_cast<std::uint16_t>(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
        if (search_parent[next]) continue;
        search_parent[next] = at;
        search_queue[tail++] = next;
      }
    }
  }
  return false;
}

void report_cycle(const HeldLock& held, std::uint16_t wanted, const void* place, const HeldLocks& all) {
  if (!begin_report("these locks are taken in opposite orders: a dead-lock is possible")) return;
  {
    LogLine line{LogLevel::error};
    line.put("lockdep: now: ");
    describe(line, wanted);
    base::format(line, " is being taken at {} while holding ", place);
    describe(line, held.key);
    base::format(line, " taken at {}", held.place);
  }
  // The way from `wanted` to `held.key`, printed from its end.
  for (std::uint16_t at = held.key; at != wanted;) {
    std::uint16_t before = search_parent[at];
    LogLine line{LogLevel::error};
    line.put("lockdep: before: ");
    describe(line, at);
    line.put(" was taken");
    const Edge* edge = find_edge(before, at);
    if (edge) base::format(line, " at {}", edge->to_place);
    line.put(" while holding ");
    describe(line, before);
    if (edge) base::format(line, " taken at {}", edge->from_place);
    at = before;
  }
  print_held(all);
}

void report_recursion(const HeldLock& held, const void* lock, std::uint16_t wanted, const void* place,
                      const HeldLocks& all) {
  if (!begin_report(held.lock == lock ? "a lock is taken twice by one thread"
                                      : "two locks of one class are held together without a nesting level"))
    return;
  LogLine line{LogLevel::error};
  describe(line, wanted);
  base::format(line, " at {}, first at {}", place, held.place);
  line.flush();
  print_held(all);
}

void add_edge(const HeldLock& held, std::uint16_t wanted, const void* place, const HeldLocks& all) {
  bool cycle = false;
  {
    GraphGuard guard;
    if (edge_known(held.key, wanted)) return;
    cycle = find_path(wanted, held.key);
    if (!cycle) {
      if (edge_count < max_edges) edges[edge_count++] = {held.key, wanted, held.place, place};
      edge_bits[held.key][wanted / 64].fetch_or(std::uint64_t{1} << (wanted % 64), std::memory_order_relaxed);
    }
  }
  if (cycle) report_cycle(held, wanted, place, all);
}

void check_interrupt_rules(std::uint16_t number, const void* place) {
  Key& key = keys[number];
  const void* none = nullptr;
  // relaxed: each flag is set once; a rule that is broken while both are being set is caught the next time.
  if (in_hard_interrupt()) {
    if (!key.used_in_interrupt.load(std::memory_order_relaxed))
      key.used_in_interrupt.compare_exchange_strong(none, place, std::memory_order_relaxed);
  } else if (arch::interrupts_enabled()) {
    if (!key.held_with_interrupts_on.load(std::memory_order_relaxed))
      key.held_with_interrupts_on.compare_exchange_strong(none, place, std::memory_order_relaxed);
  } else {
    return;
  }
  const void* inside = key.used_in_interrupt.load(std::memory_order_relaxed);
  const void* outside = key.held_with_interrupts_on.load(std::memory_order_relaxed);
  if (!inside || !outside) return;
  if (!begin_report("a lock that interrupt handlers take is held with interrupts on")) return;
  LogLine line{LogLevel::error};
  line.put("lockdep: ");
  describe(line, number);
  base::format(line, " taken in an interrupt at {}, with interrupts on at {}", inside, outside);
}

}  // namespace

void lockdep_acquire(const LockClass& lock_class, const void* lock, LockKind kind, LockAttempt attempt,
                     LockNesting nesting) {
  const void* place = __builtin_return_address(0);
  Thread* current = arch::current_thread();
  if (!current) return;
  HeldLocks& held = ThreadBase::of(*current).held_locks;
  // An interrupt handler uses the interrupted thread's stack of locks: it must not come between entry and
  // count.
  arch::InterruptsOff interrupts_off;
  std::uint16_t key = key_of(lock_class, nesting, kind);
  if (enabled.load(std::memory_order_relaxed) && key) {
    if (kind != LockKind::spin && attempt == LockAttempt::blocking &&
        (arch::preempt_count() || in_hard_interrupt())) {
      if (begin_report("a sleeping lock is taken where the thread may not sleep")) {
        LogLine line{LogLevel::error};
        line.put("lockdep: ");
        describe(line, key);
        base::format(line, " at {}", place);
        line.flush();
        print_held(held);
      }
    }
    for (unsigned i = held.count; attempt == LockAttempt::blocking && i-- > 0;) {
      if (nesting == LockNesting::chain && held.entries[i].key == key && held.entries[i].lock != lock)
        continue;
      if (held.entries[i].lock == lock || held.entries[i].key == key)
        report_recursion(held.entries[i], lock, key, place, held);
      else if (held.entries[i].key && !edge_known(held.entries[i].key, key))
        add_edge(held.entries[i], key, place, held);
    }
  }
  if (held.count == lockdep_depth) {
    held.overflowed = true;
    return;
  }
  held.entries[held.count++] = {lock, place, key, kind, false};
}

void lockdep_acquired_context(const LockClass& lock_class) {
  const void* place = __builtin_return_address(0);
  if (!enabled.load(std::memory_order_relaxed)) return;
  if (std::uint16_t number = lock_class.number().load(std::memory_order_acquire))
    check_interrupt_rules(number, place);
}

void lockdep_release(const void* lock) {
  Thread* current = arch::current_thread();
  if (!current) return;
  HeldLocks& held = ThreadBase::of(*current).held_locks;
  arch::InterruptsOff interrupts_off;
  for (unsigned i = held.count; i-- > 0;) {
    if (held.entries[i].lock != lock) continue;
    for (unsigned j = i + 1; j < held.count; ++j) held.entries[j - 1] = held.entries[j];
    --held.count;
    return;
  }
  if (!held.overflowed && begin_report("a lock is released that this thread does not hold"))
    log(LogLevel::error, "lockdep: lock {}", lock);
}

bool lockdep_holds(const void* lock) {
  const HeldLocks& held = ThreadBase::current().held_locks;
  for (unsigned i = 0; i < held.count; ++i)
    if (held.entries[i].lock == lock) return true;
  return held.overflowed;
}

void lockdep_verify_nothing_held(const char* where) {
  const HeldLocks& held = ThreadBase::current().held_locks;
  if (held.count == 0 || !begin_report("locks are still held")) return;
  log(LogLevel::error, "lockdep: at {}", where);
  print_held(held);
}

unsigned lockdep_reports() { return report_count.load(); }
void lockdep_set_enabled(bool value) { enabled.store(value); }

void lockdep_reset_for_test() {
  GraphGuard guard;
  for (auto& row : edge_bits)
    for (auto& word : row) word.store(0);
  edge_count = 0;
  report_count.store(0);
  enabled.store(true);
}

}  // namespace core

#endif
