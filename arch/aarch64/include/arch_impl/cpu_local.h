// The words at the start of each CPU's area, reached through x18. The offsets are known to assembly
// (asm_offsets.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch_impl/asm_offsets.h>

namespace core {
class Thread;
}

namespace arch {

struct ThreadState;

// Below every stack: the first address of the kernel half.
inline constexpr std::uint64_t no_stack_limit = 0xffff000000000000;

struct alignas(64) CpuLocal {
  CpuLocal* self = nullptr;
  std::uintptr_t offset = 0;  // this_cpu_offset()
  core::Thread* current_thread = nullptr;
  std::uint64_t kernel_stack = 0;              // where enter_user() was when it left
  std::uint64_t stack_limit = no_stack_limit;  // lowest address of the running thread's stack
  std::uint32_t preempt_count = 0;
  std::uint32_t no_reschedule = 1;  // zero: a reschedule is wanted
  std::uint32_t cpu_index = 0;
  std::uint32_t vectors_allowed = 0;  // user code does not trap on SVE
  ThreadState* current_state = nullptr;
  std::uint64_t emergency_stack = 0;  // for the report of a stack overflow
  ThreadState* unit_owner = nullptr;  // whose floating-point registers are in the unit
  std::uint64_t hardware_id = 0;      // affinity fields of MPIDR
  std::uint32_t active_interrupt = 0;
  std::uint64_t kernel_key[2] = {};  // signs return addresses in kernel code; zero: the processor cannot
};

static_assert(offsetof(CpuLocal, self) == CPU_LOCAL_SELF);
static_assert(offsetof(CpuLocal, offset) == CPU_LOCAL_OFFSET);
static_assert(offsetof(CpuLocal, current_thread) == CPU_LOCAL_CURRENT_THREAD);
static_assert(offsetof(CpuLocal, kernel_stack) == CPU_LOCAL_KERNEL_STACK);
static_assert(offsetof(CpuLocal, stack_limit) == CPU_LOCAL_STACK_LIMIT);
static_assert(offsetof(CpuLocal, preempt_count) == CPU_LOCAL_PREEMPT_COUNT);
static_assert(offsetof(CpuLocal, no_reschedule) == CPU_LOCAL_NO_RESCHEDULE);
static_assert(offsetof(CpuLocal, cpu_index) == CPU_LOCAL_CPU_INDEX);
static_assert(offsetof(CpuLocal, vectors_allowed) == CPU_LOCAL_VECTORS_ALLOWED);
static_assert(offsetof(CpuLocal, current_state) == CPU_LOCAL_CURRENT_STATE);
static_assert(offsetof(CpuLocal, emergency_stack) == CPU_LOCAL_EMERGENCY_STACK);
static_assert(offsetof(CpuLocal, kernel_key) == CPU_LOCAL_KERNEL_KEY);

}  // namespace arch
