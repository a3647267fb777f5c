// AArch64: the state of a thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/context.h>
#include <arch/user.h>
#include <arch_impl/asm_offsets.h>
#include <arch_impl/cpu_local.h>

namespace arch {

// v0 to v31, then FPSR and FPCR: the order of the signal frame's record.
struct alignas(16) FloatingPointState {
  std::uint64_t registers[64] = {};
  std::uint32_t status = 0, control = 0;
  std::uint64_t padding = 0;
};

struct DebugRegisters;

// APIA, APIB, APDA, APDB, APGA: how user code signs pointers.
struct PointerKeys {
  std::uint64_t words[5][2] = {};
};

struct ThreadState {
  std::uint64_t stack_pointer = 0;             // of the suspended kernel code; first: known to assembly
  std::uint64_t stack_limit = no_stack_limit;  // lowest address of its stack
  std::uint64_t thread_pointer = 0;            // TPIDR_EL0, while the thread does not run
  // See arch_common/user_state.h.
  FloatingPointState* unit = nullptr;
  unsigned unit_cpu = ~0u;
  bool user_interruption = false;  // known to assembly
  std::uint8_t enabled_keys = 0;   // of the first four of `keys`
  bool single_step = false;        // a debugger wants a trap after each instruction
  PointerKeys keys;                // known to assembly, like the two above
  UserFault fault;
  FloatingPointState* frozen = nullptr;
  // See aarch64/floating_point.h.
  std::byte* vectors = nullptr;
  bool vectors_live = false;
  bool inherits_vector_length = false;        // the programs that this one executes have its length
  std::uint16_t vector_length = 0;            // bytes
  std::uint16_t next_vector_length = 0;       // of the next program; 0: the default
  DebugRegisters* debug_registers = nullptr;  // null: a debugger has not set any
};

// The thread-local storage pointer that user code sees.
void set_thread_pointer(ThreadState& state, std::uintptr_t address);
std::uintptr_t thread_pointer(const ThreadState& state);

static_assert(offsetof(ThreadState, stack_pointer) == THREAD_STATE_STACK_POINTER);
static_assert(offsetof(ThreadState, stack_limit) == THREAD_STATE_STACK_LIMIT);
static_assert(offsetof(ThreadState, enabled_keys) == THREAD_STATE_ENABLED_KEYS);
static_assert(offsetof(ThreadState, keys) == THREAD_STATE_KEYS);

}  // namespace arch
