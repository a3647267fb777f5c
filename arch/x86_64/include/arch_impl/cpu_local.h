// The words at the start of each CPU's area, reached through the GS base. The offsets are known to assembly
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

// Hardware task state: only the stack pointers matter.
struct [[gnu::packed]] TaskState {
  std::uint32_t reserved0 = 0;
  std::uint64_t rsp[3] = {};
  std::uint64_t reserved1 = 0;
  std::uint64_t interrupt_stacks[7] = {};
  std::uint64_t reserved2 = 0;
  std::uint16_t reserved3 = 0;
  std::uint16_t io_map_offset = 104;
};

struct alignas(64) CpuLocal {
  CpuLocal* self = nullptr;
  std::uintptr_t offset = 0;  // this_cpu_offset()
  core::Thread* current_thread = nullptr;
  std::uint64_t kernel_stack = 0;  // where enter_user() was when it left
  std::uint64_t user_stack = 0;    // scratch of the system call entry
  // Of the current thread's UserRegisters, where the program counter goes; its end is in the task state.
  std::uint64_t user_frame = 0;
  std::uint32_t preempt_count = 0x80000000u;
  std::uint32_t cpu_index = 0;
  ThreadState* current_state = nullptr;
  ThreadState* unit_owner = nullptr;  // whose floating-point registers are in the unit
  std::uint32_t apic_id = 0;
  std::uint32_t interrupt_depth = 0;
  std::uint64_t reserved[6] = {};
  std::uint32_t reserved_for_alignment = 0;  // puts rsp[0] of the task state on 8 bytes
  TaskState task_state;
};

static_assert(offsetof(CpuLocal, self) == CPU_LOCAL_SELF);
static_assert(offsetof(CpuLocal, offset) == CPU_LOCAL_OFFSET);
static_assert(offsetof(CpuLocal, current_thread) == CPU_LOCAL_CURRENT_THREAD);
static_assert(offsetof(CpuLocal, kernel_stack) == CPU_LOCAL_KERNEL_STACK);
static_assert(offsetof(CpuLocal, user_stack) == CPU_LOCAL_USER_STACK);
static_assert(offsetof(CpuLocal, user_frame) == CPU_LOCAL_USER_FRAME);
static_assert(offsetof(CpuLocal, preempt_count) == CPU_LOCAL_PREEMPT_COUNT);
static_assert(offsetof(CpuLocal, cpu_index) == CPU_LOCAL_CPU_INDEX);
static_assert(offsetof(CpuLocal, current_state) == CPU_LOCAL_CURRENT_STATE);
static_assert(offsetof(CpuLocal, task_state) + 4 == CPU_LOCAL_TASK_RSP0);
static_assert(sizeof(TaskState) == 104);

}  // namespace arch
