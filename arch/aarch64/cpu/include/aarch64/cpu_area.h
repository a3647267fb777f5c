// What belongs to each CPU beside its copy of .percpu (arch_common/cpu_area.h), and the way to that.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/cpu.h>
#include <arch_impl/cpu_local.h>

#include "arch_common/cpu_area.h"
#include "base/result.h"

namespace arch {

inline constexpr std::size_t emergency_stack_size = 8192;

struct EmergencyStack {
  alignas(16) std::byte bytes[emergency_stack_size];
};

struct CpuArea {
  EmergencyStack* stack = nullptr;
  std::uint64_t system_interrupts[4] = {};  // timer, reschedule, call, attention
};

// Boot CPU: makes the per-CPU area usable and installs the vectors.
void install_boot_cpu_area();
// Allocates the area of a further CPU. Thread context.
base::Result<void> create_cpu_area(unsigned cpu, std::uint64_t hardware_id);
void destroy_cpu_area(unsigned cpu);
CpuArea& cpu_area(unsigned cpu);
inline CpuLocal& this_cpu_local() {
  CpuLocal* local;
  // SAFETY: the first word of the area is its own address.
  asm volatile("ldr %0, " CPU_WORD(CPU_LOCAL_SELF) : "=r"(local));
  return *local;
}

// One instruction, so right wherever the thread is.
inline ThreadState* current_thread_state() {
  ThreadState* state;
  asm("ldr %0, " CPU_WORD(CPU_LOCAL_CURRENT_STATE) : "=r"(state));  // SAFETY: fixed, asserted offset
  return state;
}

// This CPU takes traps from now on; x18 is set.
void install_vectors();

// The affinity fields of MPIDR_EL1.
std::uint64_t read_hardware_id();

}  // namespace arch
