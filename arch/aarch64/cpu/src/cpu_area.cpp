#include "aarch64/cpu_area.h"

#include <new>

#include "aarch64/registers.h"
#include "base/check.h"

extern "C" {
extern const char arch_vectors[];
}

namespace arch {
namespace {

constinit CpuArea areas[max_cpus];
constinit EmergencyStack boot_stack{};

void complete(unsigned cpu, CpuLocal* local, EmergencyStack* stack, std::uint64_t hardware_id) {
  areas[cpu].stack = stack;
  local->self = local;
  local->hardware_id = hardware_id;
  for (unsigned i = 0; i < 2; ++i) local->kernel_key[i] = cpu_local(0).kernel_key[i];
  // SAFETY: an address for the assembly.
  local->emergency_stack = reinterpret_cast<std::uint64_t>(stack->bytes) + emergency_stack_size;
}

}  // namespace

CpuArea& cpu_area(unsigned cpu) {
  base::verify(cpu < max_cpus);
  return areas[cpu];
}

std::uint64_t read_hardware_id() {
  return NOS_READ_REGISTER("mpidr_el1") & 0xff00ffffff;  // SAFETY: only read
}

void install_boot_cpu_area() {
  CpuLocal* local = fill_boot_cpu_area();
  // SAFETY: the registers are the kernel's own.
  asm volatile("mov x18, %0\n msr tpidr_el1, %0" ::"r"(local) : "memory");
  complete(0, local, &boot_stack, read_hardware_id());
  install_vectors();
}

void install_vectors() {
  // SAFETY: the vectors live as long as the kernel.
  NOS_WRITE_REGISTER("vbar_el1", reinterpret_cast<std::uint64_t>(arch_vectors));
  instruction_barrier();
}

base::Result<void> create_cpu_area(unsigned cpu, std::uint64_t hardware_id) {
  CpuLocal* local = TRY(allocate_cpu_area(cpu));
  auto* stack = new (std::nothrow) EmergencyStack;
  if (!stack) {
    free_cpu_area(cpu);
    return base::error(base::Errno::enomem);
  }
  complete(cpu, local, stack, hardware_id);
  return {};
}

void destroy_cpu_area(unsigned cpu) {
  delete cpu_area(cpu).stack;
  free_cpu_area(cpu);
}

}  // namespace arch
