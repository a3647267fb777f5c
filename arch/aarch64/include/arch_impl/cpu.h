// AArch64: the inline part of <arch/cpu.h>.
//
// x18 belongs to the kernel: it always holds the address of the area of the CPU that runs, also right after
// a thread has moved (neither the switch nor the return from a trap of kernel code restores it). An access
// relative to x18 is therefore one instruction, whole against interrupts and migration.
//
// Reading, adding and writing back the preemption count are three. That is right all the same: whoever
// interrupts in between leaves the count as found, and a thread can only move in between while the count it
// has read is zero, which is then also the count of the CPU it comes to. The wish for a reschedule changes at
// any moment, so it is a word of its own behind the count; one 64-bit load reads both.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/cpu.h>
#include <arch_impl/asm_offsets.h>

#define NOS_STRINGIFY_(x) #x
#define NOS_STRINGIFY(x) NOS_STRINGIFY_(x)
#define CPU_WORD(offset) "[x18, #" NOS_STRINGIFY(offset) "]"

namespace arch {

// SAFETY (this file): privileged instructions and x18-relative accesses with fixed, asserted offsets.
inline void relax() { asm volatile("yield" ::: "memory"); }

inline bool interrupts_enabled() {
  std::uint64_t flags;
  asm volatile("mrs %0, daif" : "=r"(flags)::"memory");
  return !(flags & 0x80);
}
inline void enable_interrupts() { asm volatile("msr daifclr, #2" ::: "memory"); }
inline void disable_interrupts() { asm volatile("msr daifset, #2" ::: "memory"); }

inline InterruptsOff::InterruptsOff() : were_enabled_(interrupts_enabled()) { disable_interrupts(); }
inline InterruptsOff::~InterruptsOff() {
  if (were_enabled_) enable_interrupts();
}

// WFI ends for a pending interrupt even while it is masked: no wake-up is lost.
inline void wait_for_interrupt() { asm volatile("dsb sy\n wfi\n msr daifclr, #2" ::: "memory"); }

inline unsigned cpu_index() {
  unsigned index;
  asm volatile("ldr %w0, " CPU_WORD(CPU_LOCAL_CPU_INDEX) : "=r"(index));
  return index;
}
inline std::uintptr_t this_cpu_offset() {
  std::uintptr_t offset;
  asm volatile("ldr %0, " CPU_WORD(CPU_LOCAL_OFFSET) : "=r"(offset));
  return offset;
}

// Not volatile: for the code that runs, the current thread never changes.
inline core::Thread* current_thread() {
  core::Thread* thread;
  asm("ldr %0, " CPU_WORD(CPU_LOCAL_CURRENT_THREAD) : "=r"(thread));
  return thread;
}
inline void set_current_thread(core::Thread* thread) {
  asm volatile("str %0, " CPU_WORD(CPU_LOCAL_CURRENT_THREAD)::"r"(thread) : "memory");
}

inline unsigned preempt_count() {
  unsigned count;
  asm volatile("ldr %w0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) : "=r"(count)::"memory");
  return count;
}
inline void set_preempt_count(unsigned count) {
  asm volatile("str %w0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT)::"r"(count) : "memory");
}
inline void preempt_count_add(unsigned amount) { set_preempt_count(preempt_count() + amount); }
inline bool preempt_count_subtract(unsigned amount) {
  set_preempt_count(preempt_count() - amount);
  std::uint64_t both;
  asm volatile("ldr %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) : "=r"(both)::"memory");
  return both == 0;
}
inline void set_need_reschedule() { asm volatile("str wzr, " CPU_WORD(CPU_LOCAL_NO_RESCHEDULE)::: "memory"); }
inline void clear_need_reschedule() {
  asm volatile("str %w0, " CPU_WORD(CPU_LOCAL_NO_RESCHEDULE)::"r"(1) : "memory");
}
inline bool need_reschedule() {
  unsigned none;
  asm volatile("ldr %w0, " CPU_WORD(CPU_LOCAL_NO_RESCHEDULE) : "=r"(none)::"memory");
  return !none;
}

// Data caches to the point where instruction fetch sees them, then the instruction caches of all CPUs.
inline void synchronize_instruction_fetch(const void* start, std::size_t size) {
  std::uint64_t type;
  asm volatile("mrs %0, ctr_el0" : "=r"(type));
  std::uintptr_t data_line = std::uintptr_t{4} << (type >> 16 & 15),
                 code_line = std::uintptr_t{4} << (type & 15);
  auto from = reinterpret_cast<std::uintptr_t>(start), to = from + size;
  for (std::uintptr_t at = from & ~(data_line - 1); at < to; at += data_line)
    asm volatile("dc cvau, %0" ::"r"(at) : "memory");
  asm volatile("dsb ish" ::: "memory");
  for (std::uintptr_t at = from & ~(code_line - 1); at < to; at += code_line)
    asm volatile("ic ivau, %0" ::"r"(at) : "memory");
  asm volatile("dsb ish\n isb" ::: "memory");
}

inline void full_memory_barrier() { asm volatile("dsb sy" ::: "memory"); }

}  // namespace arch
