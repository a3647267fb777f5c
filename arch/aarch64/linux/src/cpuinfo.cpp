#include <arch/linux_cpuinfo.h>

#include <arch/time.h>

#include "aarch64/registers.h"
#include "hwcap.h"

namespace arch {

void describe_linux_cpu(base::TextSink& sink, unsigned cpu) {
  std::uint64_t rate = counter_frequency();
  // Linux's unit of old: twice the counter's rate per jiffy.
  base::format(sink, "processor\t: {}\nBogoMIPS\t: {}.{:02}\nFeatures\t:", cpu, rate * 2 / 1'000'000,
               rate * 2 / 10'000 % 100);
  for (unsigned i = 0; i < capability_count; ++i)
    if (has(capabilities[i])) base::format(sink, " {}", capabilities[i].name);
  // SAFETY: identification, only read; boards with different CPUs would need each CPU's own.
  std::uint64_t id = NOS_READ_REGISTER("midr_el1");
  base::format(
      sink,
      "\nCPU implementer\t: {:#04x}\nCPU architecture: 8\nCPU variant\t: {:#x}\nCPU part\t: {:#05x}\n"
      "CPU revision\t: {}\n\n",
      id >> 24 & 0xff, id >> 20 & 15, id >> 4 & 0xfff, id & 15);
}

}  // namespace arch
