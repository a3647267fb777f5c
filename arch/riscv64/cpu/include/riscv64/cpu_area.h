// What belongs to each CPU beside its copy of .percpu (arch_common/cpu_area.h), and the way to that.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/cpu.h>
#include <arch_impl/cpu_local.h>

#include "arch_common/cpu_area.h"
#include "base/result.h"

namespace arch {

// For traps that find their stack exhausted.
struct EmergencyStack {
  alignas(16) std::byte bytes[8192];
};

struct CpuArea {
  EmergencyStack* emergency = nullptr;
  std::uint64_t interrupts[4] = {};  // timer, reschedule, call, non-maskable request
};

// Boot CPU: makes the per-CPU area and traps usable.
void install_boot_cpu_area(std::uint64_t hart);
// Allocates the area of a further CPU. Thread context.
base::Result<void> create_cpu_area(unsigned cpu, std::uint64_t hart);
void destroy_cpu_area(unsigned cpu);
CpuArea& cpu_area(unsigned cpu);
inline CpuLocal& this_cpu_local() {
  CpuLocal* local;
  asm volatile("mv %0, tp" : "=r"(local));  // SAFETY: reads a register
  return *local;
}

// One instruction, so right wherever the thread is.
inline ThreadState* current_thread_state() {
  ThreadState* state;
  asm("ld %0, " CPU_WORD(CPU_LOCAL_CURRENT_STATE) : "=r"(state));  // SAFETY: fixed, asserted offset
  return state;
}

// Directs traps of this CPU to the kernel. tp is set.
void load_trap_entry();

}  // namespace arch
