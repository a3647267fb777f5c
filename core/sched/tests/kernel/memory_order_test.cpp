// Who sees whose stores, and when: the shapes that go wrong on processors with weakly ordered memory, made of
// the kernel's own primitives. Each runs many rounds between two or more CPUs; the outcome that is looked for
// is one that the order promised by the primitive rules out.
#include <arch/cpu.h>
#include <arch/smp.h>

#include <atomic>

#include "core/sched/scheduler.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "core/sync/rw_mutex.h"
#include "core/sync/spin_lock.h"
#include "core/sync/wait_queue.h"
#include "core/time/clock.h"
#include "test_threads.h"

using namespace core;
using core::test::expect_equal;

namespace {

constexpr unsigned rounds = 3000;

// Two threads, each on a CPU of its own, that begin every round together.
class InStep {
 public:
  // `body(self, round)` for self 0 and 1; `check(round)` by the first of them, when both are done.
  template <typename Body, typename Check>
  void run(Body body, Check check, unsigned count = rounds) {
    auto thread = [&](unsigned self) {
      for (unsigned round = 0; round < count; ++round) {
        meet(self, 2 * round + 1);
        body(self, round);
        meet(self, 2 * round + 2);
        if (self == 0) check(round);
      }
    };
    TestThreads threads;
    threads.start(thread, {}, 0);
    threads.start(thread, {}, 1);
  }

 private:
  void meet(unsigned self, unsigned step) {
    arrived_[self].value.store(step);
    for (unsigned spins = 0; arrived_[1 - self].value.load() < step; ++spins) {
      if (spins % 256 == 255)
        yield();  // the other one may want this CPU
      else
        arch::relax();
    }
  }
  struct alignas(64) Arrived {
    std::atomic<unsigned> value{0};
  };
  Arrived arrived_[2];
};

struct alignas(64) Cell {
  std::atomic<unsigned> value{0};
};

bool has_two_cpus() {
  if (arch::cpu_count() >= 2) return true;
  core::test::skip("one CPU");
  return false;
}

}  // namespace

KERNEL_TEST(memory_order, release_and_acquire_pass_messages) {
  if (!has_two_cpus()) return;
  Cell data[4], flag;
  unsigned torn = 0;
  InStep().run(
      [&](unsigned self, unsigned round) {
        unsigned message = round + 1;
        if (self == 0) {
          for (Cell& cell : data) cell.value.store(message, std::memory_order_relaxed);
          flag.value.store(message, std::memory_order_release);
        } else if (flag.value.load(std::memory_order_acquire) == message) {
          for (Cell& cell : data) torn += cell.value.load(std::memory_order_relaxed) != message;
        }
      },
      [](unsigned) {});
  expect_equal(torn, 0u);
}

namespace {

// Both store, then look at what the other has stored: with a full barrier between the two, one of them sees
// it.
template <typename Barrier>
void look_at_each_other(Barrier barrier) {
  if (!has_two_cpus()) return;
  Cell stored[2], seen[2];
  unsigned both_missed = 0;
  InStep().run(
      [&](unsigned self, unsigned round) {
        stored[self].value.store(round + 1, std::memory_order_relaxed);
        barrier();
        seen[self].value.store(stored[1 - self].value.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
      },
      [&](unsigned round) {
        both_missed += seen[0].value.load() != round + 1 && seen[1].value.load() != round + 1;
      });
  expect_equal(both_missed, 0u);
}

}  // namespace

KERNEL_TEST(memory_order, full_memory_barrier_drains_stores) {
  look_at_each_other([] { arch::full_memory_barrier(); });
}

KERNEL_TEST(memory_order, sequential_fence_drains_stores) {
  look_at_each_other([] { std::atomic_thread_fence(std::memory_order_seq_cst); });
}

KERNEL_TEST(memory_order, exchange_drains_stores) {
  if (!has_two_cpus()) return;
  Cell stored[2], seen[2];
  unsigned both_missed = 0;
  InStep().run(
      [&](unsigned self, unsigned round) {
        stored[self].value.exchange(round + 1);
        seen[self].value.store(stored[1 - self].value.load());
      },
      [&](unsigned round) {
        both_missed += seen[0].value.load() != round + 1 && seen[1].value.load() != round + 1;
      });
  expect_equal(both_missed, 0u);
}

KERNEL_TEST(memory_order, readers_agree_on_the_order_of_writes) {
  if (arch::cpu_count() < 4) return core::test::skip("fewer than four CPUs");
  constexpr unsigned looks = 1000;
  struct Look {
    unsigned x = 0, y = 0;
  };
  static constinit Look looked[2][looks];
  Cell x, y;
  std::atomic<unsigned> ready{0};
  auto body = [&](unsigned index) {
    ++ready;
    while (ready.load() < 4) arch::relax();
    for (unsigned i = 0; i < looks; ++i) {
      if (index == 0) x.value.store(i + 1);
      if (index == 1) y.value.store(i + 1);
      if (index == 2) {  // x first
        looked[0][i].x = x.value.load();
        looked[0][i].y = y.value.load();
      }
      if (index == 3) {  // y first
        looked[1][i].y = y.value.load();
        looked[1][i].x = x.value.load();
      }
    }
  };
  {
    TestThreads threads;
    for (unsigned i = 0; i < 4; ++i) threads.start(body, {}, i);
  }
  // For the first reader x had its value before y grew beyond what it saw. The second one, if it saw y grown
  // beyond that, then finds at least that x.
  unsigned disagreements = 0;
  for (const Look& one : looked[0])
    for (const Look& other : looked[1]) disagreements += other.y > one.y && other.x < one.x;
  expect_equal(disagreements, 0u);
}

KERNEL_TEST(memory_order, published_objects_are_complete) {
  if (!has_two_cpus()) return;
  struct Object {
    RcuHead rcu;
    unsigned words[8];
  };
  RcuPointer<Object> pointer;
  unsigned incomplete = 0;
  InStep().run(
      [&](unsigned self, unsigned round) {
        if (self == 0) {
          auto* object = new (std::nothrow) Object;
          if (!object) return;
          for (unsigned& word : object->words) word = round + 1;
          rcu_delete(pointer.exchange(object));
          return;
        }
        RcuReadGuard guard;
        // Of this round or of the one before, and never a mixture with what the memory was used for before.
        if (Object* object = pointer.load())
          for (unsigned word : object->words) incomplete += word != object->words[0] || word + 1 < round;
      },
      [](unsigned) {});
  rcu_delete(pointer.exchange(nullptr));
  rcu_barrier();
  expect_equal(incomplete, 0u);
}

namespace {

// One stores, lets all readers of before go, and stores again. A reader that sees the second store began
// after the first: it sees that too, in whatever order it looks.
void wait_for_readers_between_stores(void (*wait_for_readers)(), unsigned count) {
  if (!has_two_cpus()) return;
  Cell before, after;
  unsigned missed = 0;
  InStep().run(
      [&](unsigned self, unsigned round) {
        unsigned message = round + 1;
        if (self == 0) {
          before.value.store(message, std::memory_order_relaxed);
          wait_for_readers();
          after.value.store(message, std::memory_order_relaxed);
          return;
        }
        for (bool done = false; !done;) {
          RcuReadGuard guard;
          unsigned first = before.value.load(std::memory_order_relaxed);
          done = after.value.load(std::memory_order_relaxed) == message;
          missed += done && first != message;
        }
      },
      [](unsigned) {}, count);
  expect_equal(missed, 0u);
}

}  // namespace

KERNEL_TEST(memory_order, grace_periods_come_between_stores) {
  wait_for_readers_between_stores(rcu_synchronize, 50);
}

KERNEL_TEST(memory_order, hurried_grace_periods_come_between_stores) {
  wait_for_readers_between_stores(rcu_synchronize_expedited, 500);
}

KERNEL_TEST(memory_order, ring_delivers_what_was_written) {
  if (!has_two_cpus()) return;
  constexpr unsigned size = 16, messages = 20000;
  struct Slot {
    unsigned number, inverse;  // plain: only head and tail order them
  };
  Slot slots[size] = {};
  Cell head, tail;
  unsigned wrong = 0;
  auto wait_while_equal = [](Cell& cell, unsigned value) {
    for (unsigned spins = 0; cell.value.load(std::memory_order_acquire) == value; ++spins)
      spins % 256 == 255 ? yield() : arch::relax();
  };
  auto body = [&](unsigned index) {
    for (unsigned i = 0; i < messages; ++i) {
      Slot& slot = slots[i % size];
      if (index == 0) {
        wait_while_equal(tail, i - size);  // full: the slot has yet to be read
        slot = {i, ~i};
        head.value.store(i + 1, std::memory_order_release);
      } else {
        wait_while_equal(head, i);
        wrong += slot.number != i || slot.inverse != ~i;
        slot = {};
        tail.value.store(i + 1, std::memory_order_release);
      }
    }
  };
  {
    TestThreads threads;
    threads.start(body, {}, 0);
    threads.start(body, {}, 1);
  }
  expect_equal(wrong, 0u);
}

namespace {

// Both count under the lock, with plain words.
template <typename Count>
void count_on_all_cpus(Count count) {
  auto body = [&](unsigned) {
    for (unsigned i = 0; i < rounds; ++i) count();
  };
  TestThreads threads;
  for (unsigned cpu = 0; cpu < arch::cpu_count() && cpu < 8; ++cpu) threads.start(body, {}, cpu);
}
unsigned expected_count() { return rounds * (arch::cpu_count() < 8 ? arch::cpu_count() : 8); }

}  // namespace

// As the cache of names and the vDSO have it: odd while the writer is at it, and the reader compares.
KERNEL_TEST(memory_order, sequence_counter_shows_no_half) {
  if (!has_two_cpus()) return;
  constexpr unsigned writes = 20000, words = 4;
  Cell sequence, data[words];
  std::atomic<bool> done{false};
  unsigned halves = 0;
  auto write = [&](unsigned) {
    for (unsigned i = 1; i <= writes; ++i) {
      sequence.value.fetch_add(1, std::memory_order_acq_rel);
      // Release, or the words could be seen before the odd number.
      for (Cell& word : data) word.value.store(i, std::memory_order_release);
      sequence.value.fetch_add(1, std::memory_order_release);
    }
    done.store(true);
  };
  auto read = [&](unsigned) {
    while (!done.load()) {
      unsigned before = sequence.value.load(std::memory_order_acquire), seen[words];
      for (unsigned i = 0; i < words; ++i) seen[i] = data[i].value.load(std::memory_order_acquire);
      if (before % 2 || sequence.value.load(std::memory_order_relaxed) != before) {
        yield();
        continue;
      }
      for (unsigned value : seen) halves += value != before / 2;
    }
  };
  {
    TestThreads threads;
    threads.start(write, {}, 0);
    threads.start(read, {}, 1);
  }
  expect_equal(halves, 0u);
}

KERNEL_TEST(memory_order, spin_lock_hands_on_what_it_guards) {
  SpinLock lock{"test"};
  unsigned first = 0, second = 0;
  count_on_all_cpus([&] {
    SpinGuard<IrqSave> guard(lock);
    first = first + 1;
    second = first;
  });
  expect_equal(first, expected_count());
  expect_equal(second, expected_count());
}

KERNEL_TEST(memory_order, mutex_hands_on_what_it_guards) {
  Mutex lock{"test"};
  unsigned first = 0, second = 0, torn = 0;
  count_on_all_cpus([&] {
    MutexGuard guard(lock);
    torn += first != second;
    first = first + 1;
    second = first;
  });
  expect_equal(first, expected_count());
  expect_equal(torn, 0u);
}

// Readers see a pair that belongs together, writers what all before them wrote.
KERNEL_TEST(memory_order, readers_and_writers_hand_on_what_they_guard) {
  RwMutex lock;
  unsigned first = 0, second = 0;
  std::atomic<unsigned> torn{0};
  count_on_all_cpus([&] {
    {
      ReadGuard guard(lock);
      if (first != second) torn.fetch_add(1);
    }
    WriteGuard guard(lock);
    ++first;
    ++second;
  });
  expect_equal(first, expected_count());
  expect_equal(torn.load(), 0u);
}

KERNEL_TEST(memory_order, waking_sees_who_waits) {
  // A condition outside of any lock: the waiter queues and looks, the waker stores and looks at the queue. If
  // neither saw the other, the waiter would sleep until its time is over.
  if (!has_two_cpus()) return;
  WaitQueue queue;
  Cell turn;
  unsigned lost = 0;
  auto body = [&](unsigned self) {
    for (unsigned round = 0; round < rounds && !lost; ++round) {
      if (round % 2 == self) {
        turn.value.store(round + 1, std::memory_order_relaxed);
        queue.wake_one();
      } else if (!queue.wait(
                     WaitMode::uninterruptible,
                     [&] { return turn.value.load(std::memory_order_relaxed) > round; },
                     Deadline::after(20 * ns_per_second))) {
        ++lost;
      }
    }
  };
  {
    TestThreads threads;
    threads.start(body, {}, 0);
    threads.start(body, {}, 1);
  }
  expect_equal(lost, 0u);
}

KERNEL_TEST(memory_order, calls_carry_what_both_sides_wrote) {
  if (!has_two_cpus()) return;
  unsigned wrong = 0;
  for (unsigned round = 0; round < 500; ++round) {
    unsigned question[4] = {round, round + 1, round + 2, round + 3}, answer[4] = {};
    arch::call_on_cpu(round % arch::cpu_count(), [&] {
      for (unsigned i = 0; i < 4; ++i) answer[i] = ~question[i];
    });
    for (unsigned i = 0; i < 4; ++i) wrong += answer[i] != ~(round + i);
  }
  expect_equal(wrong, 0u);
}
