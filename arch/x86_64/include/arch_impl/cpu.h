// x86-64: the inline part of <arch/cpu.h>. Each access to a word of the CPU's area is one instruction, so
// that it is whole against interrupts and migration.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/cpu.h>
#include <arch_impl/asm_offsets.h>

#define NOS_STRINGIFY_(x) #x
#define NOS_STRINGIFY(x) NOS_STRINGIFY_(x)
#define CPU_WORD(offset) "%%gs:" NOS_STRINGIFY(offset)

namespace arch {

// SAFETY (this file): privileged instructions and GS-relative accesses with fixed, asserted offsets.
inline void relax() { asm volatile("pause" ::: "memory"); }

inline bool interrupts_enabled() {
  std::uint64_t flags;
  asm volatile("pushfq; popq %0" : "=r"(flags)::"memory");
  return flags & 0x200;
}
inline void enable_interrupts() { asm volatile("sti" ::: "memory"); }
inline void disable_interrupts() { asm volatile("cli" ::: "memory"); }

inline InterruptsOff::InterruptsOff() : were_enabled_(interrupts_enabled()) { disable_interrupts(); }
inline InterruptsOff::~InterruptsOff() {
  if (were_enabled_) enable_interrupts();
}

// The instruction after STI runs before an interrupt is taken: no wake-up is lost.
inline void wait_for_interrupt() { asm volatile("sti; hlt" ::: "memory"); }

inline unsigned cpu_index() {
  unsigned index;
  asm volatile("movl " CPU_WORD(CPU_LOCAL_CPU_INDEX) ", %0" : "=r"(index));
  return index;
}
inline std::uintptr_t this_cpu_offset() {
  std::uintptr_t offset;
  asm volatile("movq " CPU_WORD(CPU_LOCAL_OFFSET) ", %0" : "=r"(offset));
  return offset;
}

// Not volatile: for the code that runs, the current thread never changes.
inline core::Thread* current_thread() {
  core::Thread* thread;
  asm("movq " CPU_WORD(CPU_LOCAL_CURRENT_THREAD) ", %0" : "=r"(thread));
  return thread;
}
inline void set_current_thread(core::Thread* thread) {
  asm volatile("movq %0, " CPU_WORD(CPU_LOCAL_CURRENT_THREAD)::"r"(thread) : "memory");
}

inline unsigned preempt_count() {
  unsigned count;
  asm volatile("movl " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) ", %0" : "=r"(count)::"memory");
  return count & ~unsigned{PREEMPT_NO_RESCHEDULE};
}
inline void preempt_count_add(unsigned amount) {
  asm volatile("addl %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT)::"ri"(amount) : "memory", "cc");
}
inline bool preempt_count_subtract(unsigned amount) {
  bool zero;
  asm volatile("subl %1, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) : "=@ccz"(zero) : "ri"(amount) : "memory");
  return zero;
}
inline void set_preempt_count(unsigned count) {
  // The caller has interrupts off, so two instructions do.
  unsigned word;
  asm volatile("movl " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) ", %0" : "=r"(word)::"memory");
  word = (word & PREEMPT_NO_RESCHEDULE) | count;
  asm volatile("movl %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT)::"r"(word) : "memory");
}
inline void set_need_reschedule() {
  asm volatile("andl $0x7fffffff, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT)::: "memory", "cc");
}
inline void clear_need_reschedule() {
  asm volatile("orl $0x80000000, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT)::: "memory", "cc");
}
inline bool need_reschedule() {
  unsigned count;
  asm volatile("movl " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) ", %0" : "=r"(count)::"memory");
  return !(count & PREEMPT_NO_RESCHEDULE);
}

// Instruction fetch sees stores as soon as the CPU has executed a serialising instruction; a return from a
// trap is one.
inline void synchronize_instruction_fetch(const void*, std::size_t) {
  asm volatile("pushq %%rbx; xorl %%eax, %%eax; cpuid; popq %%rbx" ::: "eax", "ecx", "edx", "memory");
}

inline void full_memory_barrier() { asm volatile("mfence" ::: "memory"); }

}  // namespace arch
