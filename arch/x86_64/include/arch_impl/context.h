// x86-64: the state of a thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/context.h>
#include <arch/user.h>
#include <arch_impl/asm_offsets.h>

namespace arch {

// Hardware break points, as ptrace sets them.
struct DebugRegisters {
  std::uint64_t address[4] = {};
  std::uint64_t status = 0;   // DR6 as seen by the debugger
  std::uint64_t control = 0;  // DR7; zero: none in use
};

struct ThreadState {
  std::uint64_t stack_pointer = 0;  // of the suspended kernel code; first: known to assembly
  std::uint64_t fs_base = 0;        // user values, while the thread does not run
  std::uint64_t gs_base = 0;
  // See arch_common/user_state.h.
  std::byte* unit = nullptr;  // XSAVE area, 64-byte aligned
  std::byte* frozen = nullptr;
  unsigned unit_cpu = ~0u;
  // The first enter_user() returns at once: it notes where the thread's UserRegisters are.
  bool user_interruption = true;
  bool debug_changed = false;  // `debug`, by a debugger, since the thread is frozen
  std::uint64_t user_registers_end = 0;
  DebugRegisters debug;
  UserFault fault;
};

static_assert(offsetof(ThreadState, stack_pointer) == 0);
static_assert(offsetof(ThreadState, user_interruption) == THREAD_STATE_USER_INTERRUPTION);

// ptrace on a suspended thread, or the current one.
void set_debug_registers(ThreadState& state, const DebugRegisters& registers);

// The thread-local storage pointer that user code sees.
void set_thread_pointer(ThreadState& state, std::uintptr_t address);
std::uintptr_t thread_pointer(const ThreadState& state);
// arch_prctl(ARCH_SET_GS) and ptrace.
void set_user_gs_base(ThreadState& state, std::uintptr_t address);
std::uintptr_t user_gs_base(const ThreadState& state);

}  // namespace arch
