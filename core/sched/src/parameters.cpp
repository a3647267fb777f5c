#include "core/sched/parameters.h"

namespace core {

base::Result<void> SchedulingParameters::validate() const {
  using base::error, base::Errno;
  constexpr std::uint64_t slice_min_ns = 100'000, slice_max_ns = 100'000'000;
  switch (policy) {
    case Policy::other:
    case Policy::batch:
    case Policy::idle:
      if (nice < -20 || nice > 19 || priority != 0) return error(Errno::einval);
      if (policy != Policy::idle && runtime_ns && (runtime_ns < slice_min_ns || runtime_ns > slice_max_ns))
        return error(Errno::einval);
      return {};
    case Policy::fifo:
    case Policy::round_robin:
      if (priority < 1 || priority > 99) return error(Errno::einval);
      return {};
    case Policy::deadline: {
      // sched(7): runtime <= deadline <= period, at least 1024 ns, below 2^63; a period of 0 means the
      // deadline.
      std::uint64_t period = period_ns ? period_ns : deadline_ns;
      if (priority != 0 || runtime_ns < 1024 || deadline_ns == 0) return error(Errno::einval);
      if (runtime_ns > deadline_ns || deadline_ns > period || period >> 63) return error(Errno::einval);
      if (period < 100'000 || period > std::uint64_t{1} << 42) return error(Errno::einval);
      return {};
    }
  }
  return error(Errno::einval);
}

}  // namespace core
