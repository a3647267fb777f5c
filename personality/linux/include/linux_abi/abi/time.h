// Times as programs see them.
#pragma once

#include <cstdint>

namespace linux_abi {

struct Timespec {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  bool is_valid() const { return seconds >= 0 && nanoseconds >= 0 && nanoseconds < 1'000'000'000; }
};
struct Timeval {
  std::int64_t seconds = 0;
  std::int64_t microseconds = 0;
  bool is_valid() const { return seconds >= 0 && microseconds >= 0 && microseconds < 1'000'000; }
};
struct Timezone {
  std::int32_t minutes_west = 0;
  std::int32_t dst_time = 0;
};
struct Itimerspec {
  Timespec interval;
  Timespec value;
};
struct Itimerval {
  Timeval interval;
  Timeval value;
};
struct Tms {
  std::int64_t user, system, children_user, children_system;
};

inline constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;
inline constexpr std::uint64_t maximum_nanoseconds = 0x7fff'ffff'ffff'ffff;
// Ticks of times(2), /proc/PID/stat and the like.
inline constexpr std::uint64_t user_ticks_per_second = 100;

// Saturates: a time past the year 2262 means "never".
constexpr std::uint64_t to_nanoseconds(const Timespec& time) {
  if (static_cast<std::uint64_t>(time.seconds) >= maximum_nanoseconds / nanoseconds_per_second)
    return maximum_nanoseconds;
  return static_cast<std::uint64_t>(time.seconds) * nanoseconds_per_second +
         static_cast<std::uint64_t>(time.nanoseconds);
}
constexpr std::uint64_t to_nanoseconds(const Timeval& time) {
  return to_nanoseconds(Timespec{time.seconds, time.microseconds * 1000});
}
constexpr Timespec to_timespec(std::uint64_t nanoseconds) {
  return {static_cast<std::int64_t>(nanoseconds / nanoseconds_per_second),
          static_cast<std::int64_t>(nanoseconds % nanoseconds_per_second)};
}
constexpr Timeval to_timeval(std::uint64_t nanoseconds) {
  return {static_cast<std::int64_t>(nanoseconds / nanoseconds_per_second),
          static_cast<std::int64_t>(nanoseconds % nanoseconds_per_second / 1000)};
}

enum class ClockId : std::int32_t {
  realtime = 0,
  monotonic = 1,
  process_cpu = 2,
  thread_cpu = 3,
  monotonic_raw = 4,
  realtime_coarse = 5,
  monotonic_coarse = 6,
  boottime = 7,
  realtime_alarm = 8,
  boottime_alarm = 9,
  tai = 11,
};
inline constexpr unsigned timer_abstime = 1;

enum class ItimerKind : std::int32_t { real = 0, virtual_time = 1, profile = 2 };

}  // namespace linux_abi
