// The host: the counter is its monotonic clock in nanoseconds.
#pragma once

#include <arch/time.h>

namespace arch {

std::uint64_t host_monotonic_ns();
inline std::uint64_t counter() { return host_monotonic_ns(); }
inline std::uint64_t counter_unordered() { return counter(); }

}  // namespace arch
