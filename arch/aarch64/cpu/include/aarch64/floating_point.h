// The calling thread's floating-point registers, and its scalable vectors (SVE).
//
// The Z registers are as long as the thread wants (prctl PR_SVE_SET_VL) and the processor can; the low 128
// bits of each are a V register. A thread has room for them from its first SVE instruction on, which traps,
// and they are "live" from then until its next system call: that leaves the V registers alone and makes
// everything else of SVE undefined, so they are dropped and the next instruction traps again.
// ThreadState::unit always has the V registers; while the vectors are live, ThreadState::vectors has the
// whole.
#pragma once

#include <cstddef>
#include <span>

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

void capture_floating_point(ThreadState& state, FloatingPointState& to);
// The vectors are not live afterwards.
void replace_floating_point(ThreadState& state, const FloatingPointState& from);

// Bytes of a Z register: a multiple of 16, at most this.
inline constexpr unsigned vector_length_limit = 256, vector_length_unit = 16;

// The longest that there is; 0: the processor has no SVE.
unsigned longest_vector_length();
// The next one at or below `wanted`, or the shortest.
unsigned supported_vector_length(unsigned wanted);
// What programs start with (/proc/sys/abi/sve_default_vector_length).
unsigned default_vector_length();
void set_default_vector_length(unsigned length);

// Z0 to Z31, P0 to P15, FFR: as signal frames and debuggers have them.
constexpr std::size_t vector_registers_size(unsigned length) {
  return std::size_t{length} * 32 + std::size_t{length} / 8 * 17;
}

// Boot CPU: which lengths there are. Every CPU: the vectors are off until a thread uses them.
void detect_vector_lengths();
void disable_vectors();

// --- The calling thread's; thread context.

// An SVE instruction has trapped: it may be tried again. ENOMEM.
base::Result<void> start_using_vectors(ThreadState& state);
// The registers in memory; empty: they are not live.
std::span<const std::byte> capture_vectors(ThreadState& state);
// Makes room for `bytes`, which the caller fills, with no vectors live meanwhile; then load_vectors().
// ENOMEM.
base::Result<std::span<std::byte>> replace_vectors(ThreadState& state);
void load_vectors(ThreadState& state, const FloatingPointState& low);
// Also of another thread that is frozen. The registers keep their low 128 bits.
void set_vector_length(ThreadState& state, unsigned length);
void forget_vectors(ThreadState& state);

// --- Of a frozen thread.

// Room for the registers, which are live from now on; those that were not are the V registers, extended by
// zeros. ENOMEM.
base::Result<std::span<std::byte>> frozen_vectors_to_write(ThreadState& state);
// What was written to them becomes that of the V registers.
void take_low_halves(ThreadState& state);

}  // namespace arch
