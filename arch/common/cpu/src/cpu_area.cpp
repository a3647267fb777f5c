#include "arch_common/cpu_area.h"

#include <atomic>
#include <cstring>

#include "base/check.h"
#include "core/memory/address.h"
#include "core/memory/page_allocator.h"

extern "C" {
extern char __percpu_start[], __percpu_end[], __percpu_boot[];
[[gnu::section(".percpu.first"), gnu::used]] constinit arch::CpuLocal cpu_local_template{};
}

namespace arch {
namespace {

constinit CpuLocal* areas[max_cpus]{};
constinit std::atomic<unsigned> online_count{1};

std::size_t area_size() { return static_cast<std::size_t>(__percpu_end - __percpu_start); }

unsigned area_order() {
  unsigned order = 0;
  while ((core::page_size << order) < area_size()) ++order;
  return order;
}

// SAFETY: the copy begins with the architecture's words, as the template does.
CpuLocal* enter(unsigned cpu, char* copy) {
  auto* local = reinterpret_cast<CpuLocal*>(copy);
  local->offset = reinterpret_cast<std::uintptr_t>(copy) - reinterpret_cast<std::uintptr_t>(__percpu_start);
  local->cpu_index = cpu;
  areas[cpu] = local;
  return local;
}

}  // namespace

CpuLocal& cpu_local(unsigned cpu) {
  base::debug_verify(cpu < max_cpus && areas[cpu], "CPU without an area");
  return *areas[cpu];
}

unsigned cpu_count() { return online_count.load(std::memory_order_acquire); }

std::uintptr_t cpu_offset(unsigned cpu) { return cpu_local(cpu).offset; }

void mark_cpu_online(unsigned cpu) {
  base::verify(online_count.load(std::memory_order_relaxed) == cpu);
  online_count.store(cpu + 1, std::memory_order_release);  // its area is filled before
}

CpuLocal* fill_boot_cpu_area() {
  // Byte by byte: memcpy may be one that waits for what the processor can do to be known.
  char* to = __percpu_boot;
  for (const char* from = __percpu_start; from != __percpu_end;) *to++ = *from++;
  return enter(0, __percpu_boot);
}

base::Result<CpuLocal*> allocate_cpu_area(unsigned cpu) {
  base::verify(cpu < max_cpus);
  core::Page* pages = TRY(core::allocate_pages(area_order(), core::AllocationFlags::none));
  auto* copy = static_cast<char*>(core::data_of(*pages));
  std::memcpy(copy, __percpu_start, area_size());
  return enter(cpu, copy);
}

void free_cpu_area(unsigned cpu) {
  core::free_pages(core::page_of(core::to_physical(&cpu_local(cpu))), area_order());
  areas[cpu] = nullptr;
}

}  // namespace arch
