// The vector registers of user code. A thread has none until its first vector instruction traps: then it gets
// room for them, and the unit is on whenever it runs. As with the floating-point registers, the kernel has no
// use for the unit, and its "dirty" state tells whether the registers must be saved.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

// The first five words as signal frames have them (struct __riscv_v_ext_state); v0 to v31 follow.
struct VectorState {
  std::uint64_t start = 0, length = 0, type = std::uint64_t{1} << 63;  // an invalid type, as after a reset
  std::uint64_t control = 0, register_bytes = 0;

  std::byte* registers() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* registers() const { return reinterpret_cast<const std::byte*>(this + 1); }
};

// Bytes of all 32 registers; 0: there is no unit, or one with registers of a size that is not supported.
std::size_t vector_registers_size();
// Boot: the size of the registers. Requires that the processor has them.
std::size_t measure_vector_registers();

// Whether it is one that needs the unit.
bool is_vector_instruction(std::uint32_t instruction);

// The calling thread may use vector instructions from now on. ENOMEM; EEXIST: it may already.
base::Result<void> start_using_vectors(ThreadState& state);
// Frees what the thread has; it runs no user code any more, or none before the next start_using_vectors().
void stop_using_vectors(ThreadState& state);

// Of the calling thread: what its registers hold, stored in its state. Null: it has not used them.
const VectorState* capture_vectors(ThreadState& state);
// The calling thread's registers are to be replaced: the caller fills in what is returned, then calls
// load_vectors(). What the registers hold is lost. Null: it has not used them.
VectorState* replace_vectors(ThreadState& state);
void load_vectors(ThreadState& state);

// Of a thread whose user state is frozen. Null: it has not used them.
VectorState* frozen_vectors(ThreadState& state);

}  // namespace arch
