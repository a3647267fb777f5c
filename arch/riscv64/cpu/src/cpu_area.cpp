#include "riscv64/cpu_area.h"

#include <new>

#include "base/check.h"
#include "riscv64/registers.h"

extern "C" void arch_trap_entry();

namespace arch {
namespace {

constinit CpuArea areas[max_cpus];
constinit EmergencyStack boot_emergency_stack{};

void complete(unsigned cpu, CpuLocal* local, EmergencyStack* emergency, std::uint64_t hart) {
  areas[cpu].emergency = emergency;
  local->hart = hart;
  // SAFETY: an address for the assembly.
  local->emergency_stack = reinterpret_cast<std::uint64_t>(emergency + 1);
}

}  // namespace

CpuArea& cpu_area(unsigned cpu) {
  base::verify(cpu < max_cpus);
  return areas[cpu];
}

void install_boot_cpu_area(std::uint64_t hart) {
  CpuLocal* local = fill_boot_cpu_area();
  asm volatile("mv tp, %0" ::"r"(local) : "memory");  // SAFETY: tp is the kernel's
  complete(0, local, &boot_emergency_stack, hart);
  load_trap_entry();
}

void load_trap_entry() {
  write_sie(0);
  write_sscratch(0);                                               // kernel code runs
  write_stvec(reinterpret_cast<std::uint64_t>(&arch_trap_entry));  // SAFETY: an address
}

base::Result<void> create_cpu_area(unsigned cpu, std::uint64_t hart) {
  CpuLocal* local = TRY(allocate_cpu_area(cpu));
  auto* emergency = new (std::nothrow) EmergencyStack;
  if (!emergency) {
    free_cpu_area(cpu);
    return base::error(base::Errno::enomem);
  }
  complete(cpu, local, emergency, hart);
  return {};
}

void destroy_cpu_area(unsigned cpu) {
  delete cpu_area(cpu).emergency;
  free_cpu_area(cpu);
}

}  // namespace arch
