// The processor this code runs on: interrupts, the per-CPU area, the current thread, the preemption count.
//
// Every CPU owns a copy of the section .percpu (core/sync/per_cpu.h gives typed access). The address of a
// variable in the section plus this_cpu_offset() is this CPU's copy. The same area holds a few words that the
// architecture keeps itself and reaches in one instruction: the current thread and the preemption count.
//
// The preemption count is one word. Its low part counts reasons not to be preempted; "a reschedule is wanted"
// is folded into it as an inverted flag, so that leaving the last section with preemption off and finding
// that nothing is to be done is one subtraction and one branch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace core {
class Thread;
}

namespace arch {

// Upper bound for CPU numbers. Numbers are dense: 0 is the boot CPU.
inline constexpr unsigned max_cpus = 256;

// Size of what two CPUs should not share.
inline constexpr std::size_t cache_line_size = 64;

// A hint inside busy loops.
inline void relax();

inline bool interrupts_enabled();
inline void enable_interrupts();
inline void disable_interrupts();

// Interrupts are off while this object lives; the state before comes back with its end.
class InterruptsOff {
 public:
  inline InterruptsOff();
  inline ~InterruptsOff();
  InterruptsOff(const InterruptsOff&) = delete;
  InterruptsOff& operator=(const InterruptsOff&) = delete;

 private:
  bool were_enabled_;
};

// Called by the idle loop with interrupts off: enables them and sleeps until one came, with no gap in between
// (an interrupt that arrived before the sleep ends it at once). Returns with interrupts enabled.
inline void wait_for_interrupt();

[[noreturn]] void halt_forever();

// Number of this CPU. Only meaningful while the thread cannot migrate (preemption or interrupts off).
inline unsigned cpu_index();
// CPUs that run now. They are numbered 0 … cpu_count()-1 and never leave again, except at power off.
unsigned cpu_count();

// Added to the address of a variable in .percpu gives the copy of this CPU (or of `cpu`). A cpu that has
// never been brought up has no area: only numbers below cpu_count().
inline std::uintptr_t this_cpu_offset();
std::uintptr_t cpu_offset(unsigned cpu);

// Null until the scheduler has set the first one.
inline core::Thread* current_thread();
inline void set_current_thread(core::Thread* thread);

// The preemption count of this CPU; it belongs to the running thread (the scheduler carries it over a
// switch).
inline unsigned preempt_count();
inline void preempt_count_add(unsigned amount);
// True when the count is now zero and a reschedule is wanted.
[[nodiscard]] inline bool preempt_count_subtract(unsigned amount);
inline void set_preempt_count(unsigned count);  // scheduler only; keeps the reschedule flag
// Added to the count while a hardware interrupt is being handled: below it are the sections with preemption
// off.
inline constexpr unsigned preempt_interrupt_unit = 0x10000;
inline bool in_interrupt() { return preempt_count() >= preempt_interrupt_unit; }
inline void set_need_reschedule();
inline void clear_need_reschedule();
inline bool need_reschedule();

// A number nobody can predict as far as the machine can tell (hardware generator, else mixed from the
// counter); for seeding the random number generator, not for direct use.
std::uint64_t random_seed();

// The thread's own stack, from its frame pointer outwards: calls function(return address, argument) for each
// frame until it returns false or the chain leaves the stack. Safe in any context, including a non-maskable
// interrupt.
void walk_stack(std::uintptr_t frame_pointer, std::uintptr_t program_counter,
                bool (*function)(std::uintptr_t program_counter, void* argument), void* argument);

// Makes instructions just written at [start, start + size) visible to instruction fetch on this CPU.
inline void synchronize_instruction_fetch(const void* start, std::size_t size);

// Memory barrier for two CPUs that communicate through normal memory and an interrupt or a device register.
inline void full_memory_barrier();

}  // namespace arch

#include <arch_impl/cpu.h>
