// NT_ARM_SVE as asm/ptrace.h has it (struct user_sve_header): which length a thread's vectors have, and
// either its V registers or, while the scalable ones are live, those.
#pragma once

#include <cstddef>
#include <span>

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

inline constexpr unsigned note_scalable_vectors = 0x405;

// Bytes for the longest vectors; 0: the processor has none.
std::size_t most_vector_state();
// Of a frozen thread.
std::size_t vector_state_size(const ThreadState& state);
void read_vector_state(const ThreadState& state, std::span<std::byte> bytes);
// EINVAL; EIO: the registers given are of a length that the processor does not have; ENOMEM.
base::Result<void> write_vector_state(ThreadState& state, std::span<const std::byte> bytes);

}  // namespace arch
