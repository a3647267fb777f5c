// What threads of one process see of each other's stores when the futex is all that orders them.
#include <linux/futex.h>
#include <pthread.h>

#include <atomic>

#include "support/conformance.h"

namespace {
using namespace conformance;

using Word = std::atomic<uint32_t>;

void wait_on(Word& word, uint32_t value) { sys(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr); }
void wake(Word& word) { sys(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1); }

// 0 free, 1 taken, 2 taken and somebody may wait.
class Lock {
 public:
  void lock() {
    uint32_t free = 0;
    if (word_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) return;
    while (word_.exchange(2, std::memory_order_acquire) != 0) wait_on(word_, 2);
  }
  void unlock() {
    if (word_.exchange(0, std::memory_order_release) == 2) wake(word_);
  }

 private:
  Word word_{0};
};

template <typename Body>
void run_threads(unsigned count, Body body) {
  struct Start {
    Body* body;
    unsigned index;
    pthread_t thread;
  } starts[16];
  for (unsigned i = 0; i < count; ++i) {
    starts[i].body = &body;
    starts[i].index = i;
    ASSERT_EQ(pthread_create(
                  &starts[i].thread, nullptr,
                  [](void* argument) -> void* {
                    auto& start = *static_cast<Start*>(argument);
                    (*start.body)(start.index);
                    return nullptr;
                  },
                  &starts[i]),
              0);
  }
  for (unsigned i = 0; i < count; ++i) pthread_join(starts[i].thread, nullptr);
}

TEST(FutexOrder, ALockHandsOnWhatItGuards) {
  Lock lock;
  unsigned first = 0, second = 0, torn = 0;  // plain
  run_threads(4, [&](unsigned) {
    for (int i = 0; i < 5000; ++i) {
      lock.lock();
      torn += first != second;
      first = first + 1;
      second = first;
      lock.unlock();
    }
  });
  EXPECT_EQ(first, 20000u);
  EXPECT_EQ(torn, 0u);
}

// The waiter tells the kernel what it last saw, the waker stores and then asks for sleepers: had the kernel
// no full barrier between queueing and looking at the word, both could miss each other and this would never
// end.
TEST(FutexOrder, NoWakeIsLost) {
  Word turn{0};
  unsigned message = 0, wrong = 0;  // plain
  constexpr uint32_t turns = 10000;
  run_threads(2, [&](unsigned self) {
    for (uint32_t i = 0; i < turns; ++i) {
      if (i % 2 == self) {
        message = i;
        turn.store(i + 1, std::memory_order_release);
        wake(turn);
      } else {
        uint32_t seen;
        while ((seen = turn.load(std::memory_order_acquire)) <= i) wait_on(turn, seen);
        wrong += message != i;
      }
    }
  });
  EXPECT_EQ(turn.load(), turns);
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
