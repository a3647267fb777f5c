// What context.cpp and vector.cpp share: the registers of the floating-point and vector units, between the
// units and a thread's memory. Interrupts off; the thread is the calling one.
#pragma once

#include <cstdint>

#include <arch_impl/context.h>

namespace arch {

struct VectorState;

// What ThreadState::unit points to.
struct Units : FloatingPointState {
  VectorState* vectors = nullptr;  // null: the thread has used no vector instruction
};
inline Units& units_of(ThreadState& state) { return static_cast<Units&>(*state.unit); }

// sstatus.VS, in the same steps as sstatus.FS.
inline constexpr std::uint64_t vectors_clean = 0x400, vectors_dirty = 0x600;

bool is_current(const ThreadState& state);
// What the thread has changed since it was loaded goes to its memory.
void save_unit(ThreadState& state);
void load_unit(ThreadState& state);

}  // namespace arch
