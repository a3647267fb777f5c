#include "aarch64/cpu_area.h"

#include <atomic>
#include <cstring>
#include <new>

#include <arch/page_table.h>

#include "aarch64/registers.h"
#include "base/check.h"
#include "core/memory/address.h"
#include "core/memory/page_allocator.h"

extern "C" {
extern char __percpu_start[], __percpu_end[], __percpu_boot[];
[[gnu::section(".percpu.first"), gnu::used]] constinit arch::CpuLocal cpu_local_template{};
extern const char arch_vectors[];
}

namespace arch {
namespace {

constinit CpuArea areas[max_cpus];
constinit EmergencyStack boot_stack{};
constinit std::atomic<unsigned> online_count{1};

void fill_cpu_area(unsigned cpu, CpuLocal* local, EmergencyStack* stack, std::uint64_t hardware_id) {
  areas[cpu].local = local;
  areas[cpu].stack = stack;
  local->self = local;
  // SAFETY: difference of two addresses in the copy and the template.
  local->offset = reinterpret_cast<std::uintptr_t>(local) - reinterpret_cast<std::uintptr_t>(__percpu_start);
  local->cpu_index = cpu;
  local->hardware_id = hardware_id;
  for (unsigned i = 0; i < 2; ++i) local->kernel_key[i] = areas[0].local->kernel_key[i];
  local->emergency_stack = reinterpret_cast<std::uint64_t>(stack->bytes) + emergency_stack_size;
}

unsigned area_order() {
  std::size_t size = static_cast<std::size_t>(__percpu_end - __percpu_start);
  unsigned order = 0;
  while ((page_size << order) < size) ++order;
  return order;
}

}  // namespace

CpuArea& cpu_area(unsigned cpu) {
  base::verify(cpu < max_cpus);
  return areas[cpu];
}

unsigned cpu_count() { return online_count.load(std::memory_order_acquire); }

std::uintptr_t cpu_offset(unsigned cpu) {
  base::debug_verify(cpu < max_cpus && areas[cpu].local, "CPU without an area");
  return areas[cpu].local->offset;
}

void mark_cpu_online(unsigned cpu) {
  base::verify(online_count.load(std::memory_order_relaxed) == cpu);
  online_count.store(cpu + 1, std::memory_order_release);  // its area is filled before
}

std::uint64_t read_hardware_id() {
  return NOS_READ_REGISTER("mpidr_el1") & 0xff00ffffff;  // SAFETY: only read
}

void install_boot_cpu_area() {
  // SAFETY: linker symbols around the template and the room for the boot CPU's copy.
  char* to = __percpu_boot;
  for (const char* from = __percpu_start; from != __percpu_end;) *to++ = *from++;
  auto* local = reinterpret_cast<CpuLocal*>(__percpu_boot);
  asm volatile("mov x18, %0\n msr tpidr_el1, %0" ::"r"(local) : "memory");
  fill_cpu_area(0, local, &boot_stack, read_hardware_id());
  install_vectors();
}

void install_vectors() {
  // SAFETY: the vectors live as long as the kernel.
  NOS_WRITE_REGISTER("vbar_el1", reinterpret_cast<std::uint64_t>(arch_vectors));
  instruction_barrier();
}

base::Result<void> create_cpu_area(unsigned cpu, std::uint64_t hardware_id) {
  core::Page* pages = TRY(core::allocate_pages(area_order(), core::AllocationFlags::none));
  auto* stack = new (std::nothrow) EmergencyStack;
  if (!stack) {
    core::free_pages(*pages, area_order());
    return base::error(base::Errno::enomem);
  }
  // SAFETY: the copy begins with the architecture's words, as the template does.
  auto* copy = static_cast<char*>(core::data_of(*pages));
  std::memcpy(copy, __percpu_start, static_cast<std::size_t>(__percpu_end - __percpu_start));
  fill_cpu_area(cpu, reinterpret_cast<CpuLocal*>(copy), stack, hardware_id);
  return {};
}

void destroy_cpu_area(unsigned cpu) {
  delete cpu_area(cpu).stack;
  core::free_pages(core::page_of(core::to_physical(cpu_area(cpu).local)), area_order());
  cpu_area(cpu).local = nullptr;
}

}  // namespace arch
