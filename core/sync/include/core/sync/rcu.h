// Read-copy-update: readers that take no lock and write to no shared memory; writers that publish a new
// version and dispose of the old one when no reader can still see it.
//
//   struct Entry { RcuHead rcu; int value; };
//   RcuPointer<Entry> entry_;
//
//   // Reader: preemptible, may not sleep on its own account inside.
//   RcuReadGuard guard;
//   if (Entry* entry = entry_.load()) use(entry->value);
//
//   // Writer, under its own lock:
//   Entry* old = entry_.exchange(fresh);
//   rcu_retire(old->rcu, [](RcuHead& head) { delete container_of(&head, &Entry::rcu); });
//   rcu_delete(old);                // the same, for types with a member `RcuHead rcu`
//   rcu_synchronize();              // or: sleeps until all readers that began before are done
//
// Readers nest, may be preempted and run in any thread context, also with preemption or interrupts off, but
// not in hard interrupt handlers: an idle CPU counts as outside. A grace period ends when every CPU has been
// seen outside (it switched threads, idles, or answered an interrupt outside of a reader) and every reader
// that was preempted inside has finished.
//
// Retired objects' functions run in the kernel thread "rcu", preemptible, in batches; they may take sleeping
// locks for short. rcu_retire() is callable in any context except under the scheduler's own locks.
#pragma once

#include <arch/cpu.h>

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "core/sync/thread_base.h"

namespace core {

struct RcuHead {
  RcuHead* next = nullptr;
  void (*function)(RcuHead&) = nullptr;
};

// Guards by itself in wrappers that cannot be a C++ scope; everything else uses RcuReadGuard.
void rcu_read_end_special();
#ifdef NOS_HOST
void rcu_read_begin();
void rcu_read_end();
#else
inline void rcu_read_begin() {
  ++ThreadBase::current().rcu.nesting;
  // Only the compiler must be held back: the grace period interrupts this CPU or sees it switch, which
  // orders.
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
inline void rcu_read_end() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  auto& state = ThreadBase::current().rcu;
  if (--state.nesting == 0) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (state.blocked) [[unlikely]]
      rcu_read_end_special();
  }
}
#endif

class [[nodiscard]] RcuReadGuard {
 public:
  RcuReadGuard() { rcu_read_begin(); }
  ~RcuReadGuard() { rcu_read_end(); }
  RcuReadGuard(const RcuReadGuard&) = delete;
  RcuReadGuard& operator=(const RcuReadGuard&) = delete;
};

inline bool rcu_is_reading() { return ThreadBase::current().rcu.nesting != 0; }

// A pointer that readers follow under RCU.
template <typename T>
class RcuPointer {
 public:
  constexpr RcuPointer(T* pointer = nullptr) : pointer_(pointer) {}
  RcuPointer(const RcuPointer&) = delete;
  RcuPointer& operator=(const RcuPointer&) = delete;

  // Reader, under RcuReadGuard. acquire: what was written before publication is visible. (A dependent load
  // would do.)
  T* load() const { return pointer_.load(std::memory_order_acquire); }
  // Writer, under the lock that serialises writers. relaxed: its own writes.
  T* load_locked() const { return pointer_.load(std::memory_order_relaxed); }
  // release: the object is complete before it is visible.
  void store(T* pointer) { pointer_.store(pointer, std::memory_order_release); }
  T* exchange(T* pointer) { return pointer_.exchange(pointer, std::memory_order_acq_rel); }

 private:
  std::atomic<T*> pointer_;
};

void rcu_retire(RcuHead& head, void (*function)(RcuHead&));
// Thread context; sleeps for a grace period.
void rcu_synchronize();
// As rcu_synchronize, and interrupts the other CPUs instead of waiting for them: for rare, urgent changes.
void rcu_synchronize_expedited();
// Sleeps until everything retired so far has been disposed of: at module end, and in tests for leaks.
void rcu_barrier();
// Memory is short: end the grace period as fast as possible. Any context.
void rcu_expedite();

template <typename T>
void rcu_delete(T* object) {
  if (!object) return;
  rcu_retire(object->rcu, [](RcuHead& head) { delete base::container_of(&head, &T::rcu); });
}

// --- For the scheduler.

// Interrupts off. The current thread is about to be switched away from on this CPU (`preempted`: not by its
// own will).
void rcu_note_context_switch(ThreadBase& leaving);
// Interrupts off, interrupt context: the CPU was asked for a quiescent state.
void rcu_check_quiescent();
// This CPU stops and starts to look at shared data: idle loop, interrupts off. Between the two it counts as
// quiescent.
void rcu_idle_enter();
void rcu_idle_exit();
// The body of the kernel thread "rcu"; started by the scheduler.
void rcu_thread(void* unused);

struct RcuStatistics {
  std::uint64_t grace_periods = 0, retired = 0, disposed = 0, forced_interrupts = 0;
};
RcuStatistics rcu_statistics();

}  // namespace core
