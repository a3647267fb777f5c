// The scheduler: which thread runs where. Policies are in src/policy.h; how threads sleep and wake is in
// core/sync/blocking.h; this header is what the rest of the kernel may ask for.
//
// Every CPU has a run queue with four classes, in order of precedence: deadline (EDF with a constant
// bandwidth server for each thread), fixed priority (FIFO and round robin, 99 down to 1), fair (EEVDF:
// weights by nice, the eligible thread with the earliest virtual deadline), idle. A woken thread that takes
// precedence preempts at once, also inside the kernel, unless the preempt count is above zero or interrupts
// are off. No tick: the CPU's timer is set for the end of a slice only while somebody waits for it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "core/sched/thread.h"
#include "core/sync/blocking.h"
#include "core/sync/cpu_mask.h"
#include "core/sync/deadline.h"

namespace core {

// Lets threads of the same standing run first. Deadline threads give up the rest of their period's budget.
void yield();
// ETIMEDOUT never: success when the time has come, EINTR if interrupted before.
base::Result<void> sleep_until(Deadline deadline, WaitMode mode);
inline void sleep_for(std::uint64_t ns) {
  (void)!sleep_until(Deadline::after(ns), WaitMode::uninterruptible);
}

// --- Start of the kernel, in this order.

// Boot CPU, before anything takes a lock: turns the running code into a thread, so that Thread::current()
// works. Later it becomes CPU 0's idle thread.
void adopt_boot_thread();
// Memory works. Sets up the run queue of the boot CPU: from here on Thread::start() and waiting work, from
// the boot thread too once it has started another and calls idle_loop().
void initialize_scheduler();
// Starts the threads the core needs itself (timers of CPU 0, RCU, work queues). After initialize_scheduler().
base::Result<void> start_core_threads();
// Before arch starts CPU `cpu`: allocates its run queue and idle thread, and gives the stack to start on.
base::Result<void*> prepare_cpu(unsigned cpu);
// Ends the boot thread's work: it is now the idle thread of its CPU. (Secondary CPUs:
// core::secondary_cpu_main.)
[[noreturn]] void idle_loop();

// --- Figures for /proc. Snapshots.

struct CpuStatistics {
  std::uint64_t user_ns = 0, nice_ns = 0, system_ns = 0, idle_ns = 0, interrupt_ns = 0;
  std::uint64_t context_switches = 0;
  std::uint32_t runnable = 0;
};
CpuStatistics cpu_statistics(unsigned cpu);
struct LoadAverage {
  // Fixed point with 11 fractional bits, as Linux computes them over 1, 5 and 15 minutes.
  static constexpr unsigned fraction_bits = 11;
  std::uint64_t average[3] = {};
};
LoadAverage load_average();
std::uint32_t runnable_threads();  // all CPUs, running ones included
std::uint32_t uninterruptible_threads();
std::uint64_t context_switches();  // since boot
std::uint64_t threads_started();   // since boot, /proc/stat's "processes" has its own count

// Is this the idle thread of some CPU? (Not a thread of the fair idle policy.)
bool is_idle_thread(const Thread& thread);

}  // namespace core
