#include <arch/smp.h>

#include <cstring>

#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "arch_common/calls.h"
#include "base/vector.h"
#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/sched/scheduler.h"
#include "interrupts.h"
#include "local_apic.h"
#include "timer.h"
#include "x86_64/cpu_area.h"
#include "x86_64/features.h"
#include "x86_64/registers.h"
#include "x86_64/smp.h"
#include "x86_64/tlb.h"

extern "C" {
extern const char secondary_trampoline[], secondary_trampoline_data[], secondary_trampoline_end[];
[[noreturn]] void arch_secondary_start();
}

namespace arch {
namespace {

constinit std::uint32_t possible_ids[max_cpus];
constinit unsigned possible_count = 0;
constinit TrampolineMemory trampoline{};

struct [[gnu::packed]] TrampolineData {
  std::uint16_t gdt_limit;
  std::uint32_t gdt_address;
  std::uint16_t padding0;
  std::uint32_t jump32;
  std::uint16_t code32, padding1;
  std::uint32_t jump64;
  std::uint16_t code64, padding2;
  std::uint32_t address, root;
  std::uint64_t stack, local, entry;
};

bool start_cpu(unsigned cpu, std::uint32_t apic_id) {
  if (!create_cpu_area(cpu, apic_id)) {
    core::log(core::LogLevel::error, "CPU {}: no memory", cpu);
    return false;
  }
  auto stack = core::prepare_cpu(cpu);
  if (!stack) {
    destroy_cpu_area(cpu);
    core::log(core::LogLevel::error, "CPU {}: no memory", cpu);
    return false;
  }
  // SAFETY: the page below 1 MiB is ours; the image is position independent but for the three addresses set
  // here.
  auto* page = core::to_virtual<std::byte>(core::PhysicalAddress(trampoline.page));
  std::memcpy(page, secondary_trampoline,
              static_cast<std::size_t>(secondary_trampoline_end - secondary_trampoline));
  TrampolineData data;
  std::memcpy(&data, secondary_trampoline_data, sizeof(data));
  auto address = static_cast<std::uint32_t>(trampoline.page);
  data.gdt_address += address;
  data.jump32 += address;
  data.jump64 += address;
  data.address = address;
  data.root = static_cast<std::uint32_t>(trampoline.root);
  data.stack = reinterpret_cast<std::uint64_t>(*stack) & ~std::uint64_t{15};
  data.local = reinterpret_cast<std::uint64_t>(&cpu_local(cpu));
  data.entry = reinterpret_cast<std::uint64_t>(&arch_secondary_start);
  std::memcpy(page + (secondary_trampoline_data - secondary_trampoline), &data, sizeof(data));

  send_apic_command(apic_id, 5 << 8 | 1 << 15);  // INIT, level
  delay_microseconds(200);
  for (unsigned attempt = 0; attempt < 2 && cpu_count() == cpu; ++attempt) {
    send_apic_command(apic_id, 6 << 8 | static_cast<std::uint32_t>(trampoline.page >> 12));  // STARTUP
    std::uint64_t deadline = nanoseconds() + (attempt == 0 ? 100'000'000 : 1'000'000'000);
    while (cpu_count() == cpu && nanoseconds() < deadline) relax();
  }
  if (cpu_count() > cpu) return true;
  core::log(core::LogLevel::error, "CPU {} (APIC {}) does not start", cpu, apic_id);
  return false;  // its area stays: it may yet come and would then spin on memory that must be there
}

}  // namespace

void add_possible_cpu(std::uint32_t apic_id) {
  for (unsigned i = 0; i < possible_count; ++i)
    if (possible_ids[i] == apic_id) return;
  if (possible_count < max_cpus) possible_ids[possible_count++] = apic_id;
}
unsigned possible_cpu_count() { return possible_count ? possible_count : 1; }
void set_trampoline_memory(const TrampolineMemory& memory) { trampoline = memory; }

void start_secondary_cpus(unsigned limit) {
  if (!trampoline.page || limit <= 1) return;
  // The kernel half as it is now; it does not change any more at this level.
  // SAFETY: both are page tables of ours in the direct map.
  auto* from = core::to_virtual<std::uint64_t>(core::PhysicalAddress(kernel_root()));
  auto* to = core::to_virtual<std::uint64_t>(core::PhysicalAddress(trampoline.root));
  std::memcpy(to + kernel_root_first_index(), from + kernel_root_first_index(), page_size / 2);
  std::uint32_t own = cpu_local(0).apic_id;
  for (unsigned i = 0; i < possible_count && cpu_count() < limit; ++i) {
    if (possible_ids[i] == own) continue;
    if (!start_cpu(cpu_count(), possible_ids[i])) break;
  }
  core::log(core::LogLevel::info, "smp: {} of {} CPUs run", cpu_count(), possible_cpu_count());
}

void send_reschedule(unsigned cpu) {
  send_apic_vector(cpu_local(cpu).apic_id, static_cast<unsigned>(SystemVector::reschedule));
}
void send_call(unsigned cpu) {
  send_apic_vector(cpu_local(cpu).apic_id, static_cast<unsigned>(SystemVector::call));
}

void send_non_maskable(unsigned cpu) { send_apic_command(cpu_local(cpu).apic_id, 4 << 8); }

}  // namespace arch

// On the idle thread's stack of a new CPU; GS is set. The page table is still the trampoline's.
extern "C" void arch_secondary_start() {
  using namespace arch;
  enable_cpu_features();
  write_cr3(kernel_root());
  load_cpu_tables();
  enable_address_space_identifiers();
  enable_local_apic();
  enable_timer();
  mark_cpu_online(this_cpu_local().cpu_index);
  core::secondary_cpu_main();
}
