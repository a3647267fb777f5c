// What context.cpp and vector.cpp share: the registers of the floating-point and vector units, between the
// units and a thread's memory. Interrupts off; the thread is the calling one.
#pragma once

#include <cstdint>

#include <arch_impl/context.h>

#include "arch_common/user_state.h"

namespace arch {

struct VectorState;

// What ThreadState::unit points to.
struct Units : FloatingPointState {
  VectorState* vectors = nullptr;  // null: the thread has used no vector instruction
};
inline Units& units_of(ThreadState& state) { return static_cast<Units&>(*state.unit); }

// sstatus.VS, in the same steps as sstatus.FS.
inline constexpr std::uint64_t vectors_clean = 0x400, vectors_dirty = 0x600;

}  // namespace arch
