// The host: unit tests run the kernel's code as an ordinary program. Every thread of the host counts as a CPU
// of its own while it lives, so per-CPU data is exclusive to it; "interrupts off" and the preemption count
// are per-thread words that only the checks look at.
#pragma once

#include <arch/cpu.h>

#include <atomic>

namespace arch {

struct HostCpu {
  unsigned index;
  unsigned preempt_count = 0;
  bool need_reschedule = false;
  bool interrupts_enabled = true;
  core::Thread* current_thread = nullptr;
  HostCpu();  // takes a free number
  ~HostCpu();
};
HostCpu& host_cpu();
void host_yield();

}  // namespace arch

namespace core {
// Supplied by core/sched: gives the calling thread of the host a core::Thread on first use.
Thread* host_adopt_thread();
}  // namespace core

namespace arch {

inline void relax() { host_yield(); }
inline bool interrupts_enabled() { return host_cpu().interrupts_enabled; }
inline void enable_interrupts() { host_cpu().interrupts_enabled = true; }
inline void disable_interrupts() { host_cpu().interrupts_enabled = false; }
inline InterruptsOff::InterruptsOff() : were_enabled_(interrupts_enabled()) { disable_interrupts(); }
inline InterruptsOff::~InterruptsOff() {
  if (were_enabled_) enable_interrupts();
}
inline void wait_for_interrupt() {
  enable_interrupts();
  host_yield();
}
inline unsigned cpu_index() { return host_cpu().index; }
inline std::uintptr_t this_cpu_offset() { return 0; }
inline core::Thread* current_thread() {
  auto& cpu = host_cpu();
  if (!cpu.current_thread) [[unlikely]]
    cpu.current_thread = core::host_adopt_thread();
  return cpu.current_thread;
}
inline void set_current_thread(core::Thread* thread) { host_cpu().current_thread = thread; }
inline unsigned preempt_count() { return host_cpu().preempt_count; }
inline void preempt_count_add(unsigned amount) { host_cpu().preempt_count += amount; }
inline bool preempt_count_subtract(unsigned amount) {
  auto& cpu = host_cpu();
  cpu.preempt_count -= amount;
  return cpu.preempt_count == 0 && cpu.need_reschedule;
}
inline void set_preempt_count(unsigned count) { host_cpu().preempt_count = count; }
inline void set_need_reschedule() { host_cpu().need_reschedule = true; }
inline void clear_need_reschedule() { host_cpu().need_reschedule = false; }
inline bool need_reschedule() { return host_cpu().need_reschedule; }
inline void synchronize_instruction_fetch(const void*, std::size_t) {}
inline void full_memory_barrier() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace arch
