#include <arch/smp.h>

#include <cstddef>
#include <cstring>

#include <arch/board.h>
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "aarch64/cpu_area.h"
#include "aarch64/features.h"
#include "aarch64/pointer_keys.h"
#include "aarch64/power_interface.h"
#include "aarch64/registers.h"
#include "aarch64/tlb.h"
#include "arch_common/calls.h"
#include "arch_common/image.h"
#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/memory/page_allocator.h"
#include "core/sched/scheduler.h"
#include "interrupts.h"

extern "C" {
extern const char secondary_entry[];
[[noreturn]] void arch_secondary_start();
}

namespace arch {
namespace {

constinit std::uint64_t possible_ids[max_cpus];
constinit unsigned possible_count = 0;

// What secondary_entry (boot/src/entry.S) reads with the MMU off.
struct alignas(cache_line_size) SecondaryStart {
  std::uint64_t root = 0, stack = 0, local = 0, entry = 0;
};
static_assert(offsetof(SecondaryStart, root) == SECONDARY_ROOT);
static_assert(offsetof(SecondaryStart, stack) == SECONDARY_STACK);
static_assert(offsetof(SecondaryStart, local) == SECONDARY_LOCAL);
static_assert(offsetof(SecondaryStart, entry) == SECONDARY_ENTRY);
constinit SecondaryStart secondary_start{};

bool start_cpu(unsigned cpu, std::uint64_t hardware_id) {
  if (!create_cpu_area(cpu, hardware_id)) {
    core::log(core::LogLevel::error, "CPU {}: no memory", cpu);
    return false;
  }
  auto stack = core::prepare_cpu(cpu);
  if (!stack) {
    destroy_cpu_area(cpu);
    core::log(core::LogLevel::error, "CPU {}: no memory", cpu);
    return false;
  }
  secondary_start = {kernel_root(), reinterpret_cast<std::uint64_t>(*stack) & ~std::uint64_t{15},
                     reinterpret_cast<std::uint64_t>(&cpu_local(cpu)),
                     reinterpret_cast<std::uint64_t>(&arch_secondary_start)};
  // SAFETY: it is read past the caches.
  asm volatile("dc civac, %0\n dsb sy" ::"r"(&secondary_start) : "memory");
  std::int64_t status = power_call(psci_cpu_on, hardware_id, physical_of_image(secondary_entry),
                                   physical_of_image(&secondary_start));
  if (status == 0) {
    std::uint64_t deadline = nanoseconds() + 2'000'000'000;
    while (cpu_count() == cpu && nanoseconds() < deadline) relax();
    if (cpu_count() > cpu) return true;
  }
  core::log(core::LogLevel::error, "CPU {} ({:#x}) does not start: {}", cpu, hardware_id, status);
  return false;  // its area stays: it may yet come and would then spin on memory that must be there
}

}  // namespace

void add_board_cpu(const device_tree::Node& cpu) {
  auto reg = cpu.property("reg");
  auto id = reg ? reg->number(0, reg->cell_count()) : std::nullopt;
  if (id && possible_count < max_cpus) possible_ids[possible_count++] = *id;
}
unsigned possible_cpu_count() { return possible_count ? possible_count : 1; }

void start_secondary_cpus(unsigned limit) {
  std::uint64_t own = cpu_local(0).hardware_id;
  for (unsigned i = 0; i < possible_count && cpu_count() < limit; ++i) {
    if (possible_ids[i] == own) continue;
    if (!start_cpu(cpu_count(), possible_ids[i])) break;
  }
  core::log(core::LogLevel::info, "smp: {} of {} CPUs run", cpu_count(), possible_cpu_count());
}

void send_reschedule(unsigned cpu) { send_interrupt(SystemInterrupt::reschedule, cpu); }
void send_call(unsigned cpu) { send_interrupt(SystemInterrupt::call, cpu); }

// Not as strong as its name: a CPU that has interrupts off does not listen.
void send_non_maskable(unsigned cpu) { send_interrupt(SystemInterrupt::attention, cpu); }

void serve_attention() {
  if (stop_requested()) stop_this_cpu();
  // SAFETY: the chain of frames of the code that was interrupted begins above this one.
  auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  core::non_maskable_request(0, frame);
}

}  // namespace arch

// On the idle thread's stack of a new CPU; x18 is set, the user's root is the identity map.
extern "C" void arch_secondary_start() {
  using namespace arch;
  clear_user_root();
  install_vectors();
  enable_cpu_features();
  start_signing();
  start_cpu_interrupts();
  mark_cpu_online(this_cpu_local().cpu_index);
  core::secondary_cpu_main();
}
