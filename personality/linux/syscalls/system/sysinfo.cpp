// sysinfo(2)
#include "core/memory/page_allocator.h"
#include "core/memory/swap.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "syscalls/system/rows.h"

namespace linux_abi {

Result<long> sys_sysinfo(Context&, UserOut<Sysinfo> out) {
  Sysinfo info;
  info.uptime_seconds = static_cast<std::int64_t>(core::boot_ns() / nanoseconds_per_second);
  core::LoadAverage load = core::load_average();
  // 16 fractional bits here, 11 there.
  for (unsigned i = 0; i < 3; ++i) info.loads[i] = load.average[i] << (16 - core::LoadAverage::fraction_bits);
  auto memory = core::memory_statistics();
  info.total_ram = memory.total_pages;
  info.free_ram = memory.free_pages;
  auto swap = core::swap_statistics();
  info.total_swap = swap.total_pages;
  info.free_swap = swap.free_pages;
  info.processes = static_cast<std::uint16_t>(thread_total());
  info.memory_unit = core::page_size;
  TRY(out.write(info));
  return 0;
}

}  // namespace linux_abi
