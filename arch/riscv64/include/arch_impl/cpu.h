// RISC-V: the inline part of <arch/cpu.h>. Each access to a word of the CPU's area is one instruction, so
// that it is whole against interrupts and migration.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/cpu.h>
#include <arch_impl/asm_offsets.h>

#define NOS_STRINGIFY_(x) #x
#define NOS_STRINGIFY(x) NOS_STRINGIFY_(x)
#define CPU_WORD(offset) NOS_STRINGIFY(offset) "(tp)"

namespace arch {

// SAFETY (this file): privileged instructions and accesses relative to tp with fixed, asserted offsets.
inline void relax() {
  // PAUSE, an encoding that processors without it take for a fence of nothing.
  asm volatile(".4byte 0x0100000f" ::: "memory");
}

inline bool interrupts_enabled() {
  std::uint64_t status;
  asm volatile("csrr %0, sstatus" : "=r"(status)::"memory");
  return status & STATUS_INTERRUPTS;
}
inline void enable_interrupts() { asm volatile("csrsi sstatus, %0" ::"i"(STATUS_INTERRUPTS) : "memory"); }
inline void disable_interrupts() { asm volatile("csrci sstatus, %0" ::"i"(STATUS_INTERRUPTS) : "memory"); }

inline InterruptsOff::InterruptsOff() {
  std::uint64_t status;
  asm volatile("csrrci %0, sstatus, %1" : "=r"(status) : "i"(STATUS_INTERRUPTS) : "memory");
  were_enabled_ = status & STATUS_INTERRUPTS;
}
inline InterruptsOff::~InterruptsOff() {
  if (were_enabled_) enable_interrupts();
}

// WFI ends for a pending interrupt also while interrupts are off: no wake-up is lost.
inline void wait_for_interrupt() {
  asm volatile("wfi" ::: "memory");
  enable_interrupts();
}

inline unsigned cpu_index() {
  unsigned index;
  asm volatile("lw %0, " CPU_WORD(CPU_LOCAL_CPU_INDEX) : "=r"(index));
  return index;
}
inline std::uintptr_t this_cpu_offset() {
  std::uintptr_t offset;
  asm volatile("ld %0, " CPU_WORD(CPU_LOCAL_OFFSET) : "=r"(offset));
  return offset;
}

// Not volatile: for the code that runs, the current thread never changes.
inline core::Thread* current_thread() {
  core::Thread* thread;
  asm("ld %0, " CPU_WORD(CPU_LOCAL_CURRENT_THREAD) : "=r"(thread));
  return thread;
}
inline void set_current_thread(core::Thread* thread) {
  asm volatile("sd %0, " CPU_WORD(CPU_LOCAL_CURRENT_THREAD)::"r"(thread) : "memory");
}

inline unsigned preempt_count() {
  unsigned count;
  asm volatile("lw %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) : "=r"(count)::"memory");
  return count & ~unsigned{PREEMPT_NO_RESCHEDULE};
}
inline void preempt_count_add(unsigned amount) {
  asm volatile("amoadd.w zero, %0, (tp)" ::"r"(amount) : "memory");
}
inline bool preempt_count_subtract(unsigned amount) {
  unsigned before;
  asm volatile("amoadd.w %0, %1, (tp)" : "=r"(before) : "r"(0u - amount) : "memory");
  return before == amount;
}
inline void set_preempt_count(unsigned count) {
  // The caller has interrupts off, so two instructions do.
  unsigned word;
  asm volatile("lw %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) : "=r"(word)::"memory");
  word = (word & PREEMPT_NO_RESCHEDULE) | count;
  asm volatile("sw %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT)::"r"(word) : "memory");
}
inline void set_need_reschedule() {
  asm volatile("amoand.w zero, %0, (tp)" ::"r"(~unsigned{PREEMPT_NO_RESCHEDULE}) : "memory");
}
inline void clear_need_reschedule() {
  asm volatile("amoor.w zero, %0, (tp)" ::"r"(unsigned{PREEMPT_NO_RESCHEDULE}) : "memory");
}
inline bool need_reschedule() {
  unsigned count;
  asm volatile("lw %0, " CPU_WORD(CPU_LOCAL_PREEMPT_COUNT) : "=r"(count)::"memory");
  return !(count & PREEMPT_NO_RESCHEDULE);
}

inline void synchronize_instruction_fetch(const void*, std::size_t) { asm volatile("fence.i" ::: "memory"); }

inline void full_memory_barrier() { asm volatile("fence iorw, iorw" ::: "memory"); }

}  // namespace arch
