// The debug registers as ptrace(2) has them: struct user_hwdebug_state of asm/ptrace.h, NT_ARM_HW_BREAK and
// NT_ARM_HW_WATCH.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <arch/linux_trace.h>

namespace arch {

inline constexpr unsigned note_break_points = 0x402, note_watch_points = 0x403;

struct LinuxDebugState {
  std::uint32_t information = 0, padding = 0;
  struct Register {
    std::uint64_t address = 0;
    std::uint32_t control = 0, padding = 0;
  } registers[16];
};
static_assert(sizeof(LinuxDebugState) == 264);

LinuxDebugState read_debug_state(const ThreadState& state, unsigned note);
// EINVAL, ENOSPC: a control word that means nothing, more registers than there are. What comes before the
// faulty one is set. ENOMEM.
base::Result<void> write_debug_state(ThreadState& state, unsigned note, std::span<const std::byte> bytes);

}  // namespace arch
