#include <arch/linux_cpuinfo.h>

#include <arch/interrupt.h>
#include <arch/page_table.h>

#include "riscv64/features.h"

namespace arch {

void describe_linux_cpu(base::TextSink& sink, unsigned cpu) {
  const CpuFeatures& f = cpu_features();
  base::format(sink, "processor\t: {}\nhart\t\t: {}\nisa\t\t: {}\nmmu\t\t: {}\n", cpu, hardware_cpu_id(cpu),
               f.isa,
               levels() == 3   ? "sv39"
               : levels() == 4 ? "sv48"
                               : "sv57");
  base::format(sink, "mvendorid\t: {:#x}\nmarchid\t\t: {:#x}\nmimpid\t\t: {:#x}\nhart isa\t: {}\n\n",
               f.vendor, f.architecture, f.implementation, f.isa);
}

}  // namespace arch
