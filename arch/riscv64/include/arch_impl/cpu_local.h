// The words at the start of each CPU's area. While the kernel runs, tp holds their address; the compiler
// leaves tp alone. The offsets are known to assembly (asm_offsets.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch_impl/asm_offsets.h>

namespace core {
class Thread;
}

namespace arch {

struct ThreadState;
struct UserRegisters;

struct alignas(64) CpuLocal {
  std::uint32_t preempt_count = 0x80000000u;
  std::uint32_t cpu_index = 0;
  std::uintptr_t offset = 0;  // this_cpu_offset()
  core::Thread* current_thread = nullptr;
  std::uint64_t kernel_stack = 0;           // where enter_user() was when it left
  std::uint64_t interrupted_stack = 0;      // scratch of the trap entry
  UserRegisters* user_registers = nullptr;  // where the trap entry stores them
  ThreadState* current_state = nullptr;
  std::uint64_t scratch = 0;          // of the trap entry
  std::uint64_t emergency_stack = 0;  // for a trap whose own stack is what faulted
  ThreadState* unit_owner = nullptr;  // whose floating-point registers are in the unit
  std::uint64_t hart = 0;             // the firmware's number
};

static_assert(offsetof(CpuLocal, preempt_count) == CPU_LOCAL_PREEMPT_COUNT);
static_assert(offsetof(CpuLocal, cpu_index) == CPU_LOCAL_CPU_INDEX);
static_assert(offsetof(CpuLocal, offset) == CPU_LOCAL_OFFSET);
static_assert(offsetof(CpuLocal, current_thread) == CPU_LOCAL_CURRENT_THREAD);
static_assert(offsetof(CpuLocal, kernel_stack) == CPU_LOCAL_KERNEL_STACK);
static_assert(offsetof(CpuLocal, interrupted_stack) == CPU_LOCAL_INTERRUPTED_STACK);
static_assert(offsetof(CpuLocal, user_registers) == CPU_LOCAL_USER_REGISTERS);
static_assert(offsetof(CpuLocal, current_state) == CPU_LOCAL_CURRENT_STATE);
static_assert(offsetof(CpuLocal, scratch) == CPU_LOCAL_SCRATCH);
static_assert(offsetof(CpuLocal, emergency_stack) == CPU_LOCAL_EMERGENCY_STACK);

}  // namespace arch
