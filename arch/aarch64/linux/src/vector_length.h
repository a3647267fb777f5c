// The length of a thread's scalable vectors, as prctl(2) and ptrace(2) set it.
#pragma once

#include <cstdint>

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

// PR_SVE_VL_INHERIT, PR_SVE_SET_VL_ONEXEC; the length is in the low 16 bits.
inline constexpr std::uint64_t inherit_vector_length = 1 << 17, vector_length_of_next_program = 1 << 18;

// Of the calling thread or a frozen one. The longest length at or below the one wanted is taken. EINVAL.
base::Result<void> request_vector_length(ThreadState& state, std::uint64_t length, std::uint64_t flags);
// What prctl(PR_SVE_SET_VL) returns for the flags given.
long vector_length_status(const ThreadState& state, std::uint64_t flags);

}  // namespace arch
