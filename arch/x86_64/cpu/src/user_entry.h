// Where the processor, and the entry of system calls, store the registers of the thread that runs in user
// mode.
#pragma once

#include <arch_impl/asm_offsets.h>
#include <arch_impl/context.h>
#include <arch_impl/cpu_local.h>

namespace arch {

// Interrupts off, on the CPU that is about to run the thread. Nothing yet for a thread that has not been on
// its way to user mode.
inline void use_user_registers(CpuLocal& local, const ThreadState& state) {
  local.task_state.rsp[0] = state.user_registers_end;
  local.user_frame = state.user_registers_end - (USER_REGISTERS_SIZE - USER_REGISTERS_RIP);
}

}  // namespace arch
