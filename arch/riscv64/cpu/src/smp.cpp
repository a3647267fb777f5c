#include <arch/smp.h>

#include <cstring>

#include <arch/board.h>
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "arch_common/calls.h"
#include "arch_common/image.h"
#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/sched/scheduler.h"
#include "interrupts.h"
#include "riscv64/cpu_area.h"
#include "riscv64/features.h"
#include "riscv64/sbi.h"
#include "riscv64/secondary_block.h"
#include "riscv64/smp.h"
#include "riscv64/time.h"
#include "riscv64/tlb.h"

extern "C" {
extern const char arch_secondary_entry[], arch_secondary_mapped[];
[[noreturn]] void arch_secondary_start();
}

namespace arch {
namespace {

constinit std::uint64_t possible_harts[max_cpus];
constinit unsigned possible_count = 0;
constinit void (*cpu_start_hook)(unsigned cpu) = nullptr;

// Read by arch_secondary_entry, by its physical address. One hart starts at a time. Not in zeroed memory:
// harts that the firmware lets go too early look at it while that is being zeroed.
struct SecondaryStart {
  std::uint64_t satp = 0, entry = 0, local = 0, stack = 0, hart = ~std::uint64_t{0};
};
static_assert(offsetof(SecondaryStart, satp) == SECONDARY_SATP);
static_assert(offsetof(SecondaryStart, entry) == SECONDARY_ENTRY);
static_assert(offsetof(SecondaryStart, local) == SECONDARY_LOCAL);
static_assert(offsetof(SecondaryStart, stack) == SECONDARY_STACK);
static_assert(offsetof(SecondaryStart, hart) == SECONDARY_HART);
extern "C" constinit SecondaryStart arch_secondary_block{};

bool start_cpu(unsigned cpu, std::uint64_t hart) {
  if (!create_cpu_area(cpu, hart)) {
    core::log(core::LogLevel::error, "CPU {}: no memory", cpu);
    return false;
  }
  auto stack = core::prepare_cpu(cpu);
  if (!stack) {
    destroy_cpu_area(cpu);
    core::log(core::LogLevel::error, "CPU {}: no memory", cpu);
    return false;
  }
  // SAFETY: addresses for the assembly.
  arch_secondary_block = {.satp = satp_for(kernel_root()),
                          .entry = reinterpret_cast<std::uint64_t>(arch_secondary_mapped),
                          .local = reinterpret_cast<std::uint64_t>(&cpu_local(cpu)),
                          .stack = reinterpret_cast<std::uint64_t>(*stack) & ~std::uint64_t{15}};
  full_memory_barrier();
  arch_secondary_block.hart = hart;
  full_memory_barrier();
  SbiResult started =
      start_hart(hart, physical_of_image(arch_secondary_entry), physical_of_image(&arch_secondary_block));
  std::uint64_t deadline = nanoseconds() + 1'000'000'000;
  while (started.error == 0 && cpu_count() == cpu && nanoseconds() < deadline) relax();
  if (cpu_count() > cpu) return true;
  core::log(core::LogLevel::error, "CPU {} (hart {}) does not start: {}", cpu, hart, started.error);
  return false;  // its area stays: it may yet come and would then spin on memory that must be there
}

// The number of the hart that a node of /cpus describes.
std::optional<std::uint64_t> hart_of(const device_tree::Node& cpu) {
  auto reg = cpu.property("reg");
  return reg ? reg->number(0, reg->cell_count() == 1 ? 1 : 2) : std::nullopt;
}

bool is_for_supervisor(const device_tree::InterruptSpecifier& interrupt) {
  constexpr std::uint32_t supervisor_external = 9;  // as a cause of scause
  return interrupt.cell_count && interrupt.cells[0] == supervisor_external;
}

}  // namespace

std::optional<unsigned> supervisor_interrupt_index(const device_tree::Node& controller, unsigned cpu) {
  for (unsigned index = 0; auto entry = controller.interrupt(index); ++index) {
    auto node = is_for_supervisor(*entry) ? entry->controller.parent() : std::nullopt;
    if (node && hart_of(*node) == cpu_local(cpu).hart) return index;
  }
  return std::nullopt;
}

bool interrupts_supervisor(const device_tree::Node& controller) {
  auto interrupt = controller.interrupt(0);
  return interrupt && is_for_supervisor(*interrupt);
}

// The order decides the numbers; the boot CPU is always 0. Harts without address translation do not run us.
void add_board_cpu(const device_tree::Node& cpu) {
  auto hart = hart_of(cpu);
  if (!hart || !cpu.has("mmu-type")) return;
  for (unsigned i = 0; i < possible_count; ++i)
    if (possible_harts[i] == *hart) return;
  if (possible_count < max_cpus) possible_harts[possible_count++] = *hart;
}
unsigned possible_cpu_count() { return possible_count ? possible_count : 1; }
void set_cpu_start_hook(void (*hook)(unsigned cpu)) { cpu_start_hook = hook; }

void start_secondary_cpus(unsigned limit) {
  if (limit <= 1 || possible_count <= 1) return;
  if (!has_sbi_extension(SbiExtension::hart_state)) {
    core::log(core::LogLevel::warning, "smp: the firmware cannot start further harts");
    return;
  }
  std::uint64_t own = cpu_local(0).hart;
  for (unsigned i = 0; i < possible_count && cpu_count() < limit; ++i) {
    if (possible_harts[i] == own) continue;
    if (!start_cpu(cpu_count(), possible_harts[i])) break;
  }
  core::log(core::LogLevel::info, "smp: {} of {} CPUs run", cpu_count(), possible_cpu_count());
}

void send_reschedule(unsigned cpu) { send_request(cpu, Request::reschedule); }
void send_non_maskable(unsigned cpu) { send_request(cpu, Request::non_maskable); }
void send_call(unsigned cpu) { send_request(cpu, Request::call); }

}  // namespace arch

// On the idle thread's stack of a new CPU; tp is set, the kernel's page table active.
extern "C" void arch_secondary_start() {
  using namespace arch;
  load_trap_entry();
  enable_cpu_features();
  enable_timer();
  unsigned cpu = this_cpu_local().cpu_index;
  if (cpu_start_hook) cpu_start_hook(cpu);
  mark_cpu_online(cpu);
  core::secondary_cpu_main();
}
