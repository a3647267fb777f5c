#include "riscv64/cpu_area.h"

#include <atomic>
#include <cstring>
#include <new>

#include "base/check.h"
#include "core/memory/address.h"
#include "core/memory/page_allocator.h"
#include "riscv64/registers.h"

extern "C" {
extern char __percpu_start[], __percpu_end[], __percpu_boot[];
[[gnu::section(".percpu.first"), gnu::used]] constinit arch::CpuLocal cpu_local_template{};
void arch_trap_entry();
}

namespace arch {
namespace {

constinit CpuArea areas[max_cpus];
constinit std::atomic<unsigned> online_count{1};

constinit EmergencyStack boot_emergency_stack{};

void fill_cpu_area(unsigned cpu, CpuLocal* local, EmergencyStack* emergency, std::uint64_t hart) {
  areas[cpu].local = local;
  areas[cpu].emergency = emergency;
  // SAFETY: difference of two addresses in the copy and the template.
  local->offset = reinterpret_cast<std::uintptr_t>(local) - reinterpret_cast<std::uintptr_t>(__percpu_start);
  local->cpu_index = cpu;
  local->hart = hart;
  local->emergency_stack = reinterpret_cast<std::uint64_t>(emergency + 1);
}

unsigned area_order() {
  auto size = static_cast<std::size_t>(__percpu_end - __percpu_start);
  unsigned order = 0;
  while ((core::page_size << order) < size) ++order;
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

void install_boot_cpu_area(std::uint64_t hart) {
  // SAFETY: linker symbols around the template and the room for the boot CPU's copy; tp is the kernel's.
  char* to = __percpu_boot;
  for (const char* from = __percpu_start; from != __percpu_end;) *to++ = *from++;
  auto* local = reinterpret_cast<CpuLocal*>(__percpu_boot);
  asm volatile("mv tp, %0" ::"r"(local) : "memory");
  fill_cpu_area(0, local, &boot_emergency_stack, hart);
  load_trap_entry();
}

void load_trap_entry() {
  write_sie(0);
  write_sscratch(0);                                               // kernel code runs
  write_stvec(reinterpret_cast<std::uint64_t>(&arch_trap_entry));  // SAFETY: an address
}

base::Result<void> create_cpu_area(unsigned cpu, std::uint64_t hart) {
  core::Page* pages = TRY(core::allocate_pages(area_order(), core::AllocationFlags::none));
  auto* emergency = new (std::nothrow) EmergencyStack;
  if (!emergency) {
    core::free_pages(*pages, area_order());
    return base::error(base::Errno::enomem);
  }
  // SAFETY: the copy begins with the architecture's words, as the template does.
  auto* copy = static_cast<char*>(core::data_of(*pages));
  std::memcpy(copy, __percpu_start, static_cast<std::size_t>(__percpu_end - __percpu_start));
  fill_cpu_area(cpu, reinterpret_cast<CpuLocal*>(copy), emergency, hart);
  return {};
}

void destroy_cpu_area(unsigned cpu) {
  delete cpu_area(cpu).emergency;
  core::free_pages(core::page_of(core::to_physical(cpu_area(cpu).local)), area_order());
  cpu_area(cpu).local = nullptr;
}

}  // namespace arch
