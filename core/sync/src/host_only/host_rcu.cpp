// RCU of the host: a grace period is the writer side of one read-write lock.
#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/sync/rcu.h"

namespace core {

namespace {

pthread_rwlock_t readers = PTHREAD_RWLOCK_INITIALIZER;

struct Retired {
  std::mutex mutex;
  std::condition_variable wanted, done;
  RcuHead* first = nullptr;
  RcuHead** last = &first;
  std::uint64_t retired = 0, disposed = 0, grace_periods = 0;
  bool started = false;
};
// Never destroyed: the thread outlives main.
Retired& retired() {
  static auto* instance = new Retired;
  return *instance;
}

void dispose_forever() {
  auto& state = retired();
  std::unique_lock lock(state.mutex);
  for (;;) {
    state.wanted.wait(lock, [&] { return state.first != nullptr; });
    RcuHead* head = state.first;
    state.first = nullptr;
    state.last = &state.first;
    lock.unlock();
    rcu_synchronize();
    std::uint64_t count = 0;
    while (head) {
      RcuHead* next = head->next;
      head->function(*head);
      head = next;
      ++count;
    }
    lock.lock();
    state.disposed += count;
    ++state.grace_periods;
    state.done.notify_all();
  }
}

}  // namespace

void rcu_read_begin() {
  if (ThreadBase::current().rcu.nesting++ == 0) pthread_rwlock_rdlock(&readers);
}
void rcu_read_end() {
  if (--ThreadBase::current().rcu.nesting == 0) pthread_rwlock_unlock(&readers);
}
void rcu_read_end_special() {}

void rcu_synchronize() {
  pthread_rwlock_wrlock(&readers);
  pthread_rwlock_unlock(&readers);
}
void rcu_synchronize_expedited() { rcu_synchronize(); }
void rcu_expedite() {}

void rcu_retire(RcuHead& head, void (*function)(RcuHead&)) {
  auto& state = retired();
  std::lock_guard lock(state.mutex);
  if (!state.started) {
    state.started = true;
    std::thread(dispose_forever).detach();
  }
  head.next = nullptr;
  head.function = function;
  *state.last = &head;
  state.last = &head.next;
  ++state.retired;
  state.wanted.notify_one();
}

void rcu_barrier() {
  auto& state = retired();
  std::unique_lock lock(state.mutex);
  std::uint64_t target = state.retired;
  state.done.wait(lock, [&] { return state.disposed >= target; });
}

void rcu_note_context_switch(ThreadBase&) {}
void rcu_check_quiescent() {}
void rcu_idle_enter() {}
void rcu_idle_exit() {}
void rcu_thread(void*) {}

RcuStatistics rcu_statistics() {
  auto& state = retired();
  std::lock_guard lock(state.mutex);
  return {.grace_periods = state.grace_periods, .retired = state.retired, .disposed = state.disposed};
}

}  // namespace core
