// What the layers below the scheduler keep in each thread. core::Thread (core/sched/thread.h) derives from
// this.
#pragma once

#include <arch/cpu.h>

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "core/sync/lockdep.h"
#include "core/sync/pi_lock.h"
#include "core/sync/urgency.h"

namespace core {

class AddressSpace;
class Thread;
struct RcuCpu;

class ThreadBase {
 public:
  ThreadBase() = default;
  ThreadBase(const ThreadBase&) = delete;

  static ThreadBase& current() { return of(*arch::current_thread()); }
  // SAFETY: Thread's first base is ThreadBase (checked in core/sched/thread.h), so both have one address.
  static ThreadBase& of(Thread& thread) { return reinterpret_cast<ThreadBase&>(thread); }
  Thread& thread() { return reinterpret_cast<Thread&>(*this); }

  // The user half of memory this thread runs in; null for kernel threads. Written by
  // Thread::set_address_space only (the thread itself); the thread holds the reference.
  AddressSpace* address_space = nullptr;

  // Priority inheritance: core/sync/pi_lock.h.
  PiState pi;

  // Readers: core/sync/rcu.h. Only the thread itself writes nesting.
  struct RcuState {
    std::uint32_t nesting = 0;
    bool blocked = false;            // preempted inside: on `cpu`'s list until the outermost end
    std::uint64_t grace_period = 0;  // which grace periods wait for us
    RcuCpu* cpu = nullptr;
    base::ListHook hook;
  } rcu;

  [[no_unique_address]] HeldLocks held_locks;
};

}  // namespace core
