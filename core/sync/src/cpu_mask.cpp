#include "core/sync/cpu_mask.h"

#include <arch/cpu.h>

#include <atomic>

namespace core {

static_assert(CpuMask::capacity == arch::max_cpus);

namespace {
constinit CpuMask online = CpuMask::single(0);
}

const CpuMask& online_cpus() { return online; }

void mark_cpu_online(unsigned cpu) {
  // release: the CPU's run queue and per-CPU data are complete before anyone sees the bit.
  std::atomic_ref<std::uint64_t>(online.words()[cpu / 64])
      .fetch_or(std::uint64_t{1} << (cpu % 64), std::memory_order_release);
}

}  // namespace core
