// RISC-V: the state of a thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch/context.h>
#include <arch/user.h>
#include <arch_impl/asm_offsets.h>

namespace arch {

// The registers of the D extension, as ptrace and signal frames have them (struct __riscv_d_ext_state).
struct FloatingPointState {
  std::uint64_t f[32] = {};
  std::uint32_t control = 0;  // fcsr
  std::uint32_t padding = 0;
};

struct ThreadState {
  std::uint64_t stack_pointer = 0;  // of the suspended kernel code; first: known to assembly
  // See arch_common/user_state.h.
  FloatingPointState* unit = nullptr;
  unsigned unit_cpu = ~0u;
  bool user_interruption = false;
  UserFault fault;
  FloatingPointState* frozen = nullptr;
};

static_assert(offsetof(ThreadState, stack_pointer) == 0);
static_assert(offsetof(ThreadState, user_interruption) == THREAD_STATE_USER_INTERRUPTION);

}  // namespace arch
