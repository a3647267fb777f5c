#pragma once

#include <cstdint>

namespace core {

// A time on the monotonic clock in terms of arch::nanoseconds(), for the hardware timer. While the clock's
// rate is trimmed the result may be a little early, never late: the timer is then set again.
std::uint64_t timer_time_of(std::uint64_t monotonic_ns);

}  // namespace core
