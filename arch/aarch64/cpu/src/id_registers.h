// The ID registers as user code sees them. It cannot read them itself: the trap does it in its place
// (HWCAP_CPUID).
#pragma once

#include <cstdint>
#include <optional>

#include "trap_frame.h"

namespace arch {

// The trap of a user instruction: where it was a read of such a register, the result is in its register and
// the program goes on behind it. Interrupts enabled: may have to read the instruction.
bool emulate_id_register_read(TrapFrame& frame, std::uint64_t syndrome);

}  // namespace arch
