// What belongs to each CPU beside its copy of .percpu (arch_common/cpu_area.h), and the way to that: its
// descriptor table, the stacks of traps that cannot trust any other.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/cpu.h>
#include <arch_impl/cpu_local.h>

#include "arch_common/cpu_area.h"
#include "base/result.h"

namespace arch {

// Interrupt stacks by number in the hardware's table (1-based there).
enum class TrapStack : unsigned { non_maskable = 1, double_fault = 2, machine_check = 3, debug = 4 };
inline constexpr unsigned trap_stack_count = 4;
inline constexpr std::size_t trap_stack_size = 8192;

struct TrapStacks {
  alignas(16) std::byte stack[trap_stack_count][trap_stack_size];
};

// Eight bytes per descriptor. Entry 15 holds the number of the CPU in its limit: user code may read it (LSL).
inline constexpr unsigned gdt_entries = 16;

struct CpuArea {
  TrapStacks* stacks = nullptr;
  std::uint64_t gdt[gdt_entries] = {};
  std::uint64_t system_interrupts[4] = {};  // timer, reschedule, call, error
  std::uint64_t non_maskable_interrupts = 0;
};

// Boot CPU: makes the per-CPU area usable.
void install_boot_cpu_area();
// Allocates the area of a further CPU. Thread context.
base::Result<void> create_cpu_area(unsigned cpu, std::uint32_t apic_id);
void destroy_cpu_area(unsigned cpu);
CpuArea& cpu_area(unsigned cpu);
inline CpuLocal& this_cpu_local() {
  CpuLocal* local;
  // SAFETY: the first word of the area is its own address.
  asm volatile("movq %%gs:0, %0" : "=r"(local));
  return *local;
}

// One instruction, so right wherever the thread is.
inline ThreadState* current_thread_state() {
  ThreadState* state;
  asm("movq " CPU_WORD(CPU_LOCAL_CURRENT_STATE) ", %0" : "=r"(state));  // SAFETY: fixed, asserted offset
  return state;
}

// Loads GDT, TSS, IDT and the system call registers on this CPU; its GS base is set.
void load_cpu_tables();

// x86-64 traps 0 … 31.
enum class Trap : unsigned {
  divide_error = 0,
  debug = 1,
  non_maskable = 2,
  breakpoint = 3,
  overflow = 4,
  bounds = 5,
  invalid_opcode = 6,
  no_unit = 7,
  double_fault = 8,
  invalid_task_state = 10,
  segment_not_present = 11,
  stack = 12,
  general_protection = 13,
  page_fault = 14,
  floating_point = 16,
  alignment = 17,
  machine_check = 18,
  simd = 19,
  virtualization = 20,
  control_protection = 21,
};

}  // namespace arch
