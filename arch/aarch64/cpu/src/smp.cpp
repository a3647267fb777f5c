#include <arch/smp.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include <arch/board.h>
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "aarch64/cpu_area.h"
#include "aarch64/features.h"
#include "aarch64/power_interface.h"
#include "aarch64/registers.h"
#include "aarch64/tlb.h"
#include "boot/boot_info.h"
#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/memory/page_allocator.h"
#include "core/sched/scheduler.h"
#include "interrupts.h"
#include "smp_calls.h"

extern "C" {
extern const char secondary_entry[];
[[noreturn]] void arch_secondary_start();
}

namespace arch {
namespace {

constinit std::uint64_t possible_ids[max_cpus];
constinit unsigned possible_count = 0;
constinit std::atomic<bool> all_stop{false};

// What secondary_entry (boot/src/entry.S) reads with the MMU off.
struct alignas(cache_line_size) SecondaryStart {
  std::uint64_t root = 0, stack = 0, local = 0, entry = 0;
};
static_assert(offsetof(SecondaryStart, root) == SECONDARY_ROOT);
static_assert(offsetof(SecondaryStart, stack) == SECONDARY_STACK);
static_assert(offsetof(SecondaryStart, local) == SECONDARY_LOCAL);
static_assert(offsetof(SecondaryStart, entry) == SECONDARY_ENTRY);
constinit SecondaryStart secondary_start{};

// --- Calls. Every CPU has one call of its own under way at most; a bit in the receiver's mailbox says whose
// to serve.
struct alignas(cache_line_size) Mailbox {
  std::atomic<std::uint64_t> senders[max_cpus / 64];
};
struct alignas(cache_line_size) OwnCall {
  const base::FunctionRef<void()>* function = nullptr;
  std::atomic<unsigned> pending{0};
};
constinit Mailbox mailboxes[max_cpus];
constinit OwnCall own_calls[max_cpus];

std::uintptr_t physical_of_image_address(const void* address) {
  const boot::BootInfo& info = boot::boot_info();
  return reinterpret_cast<std::uintptr_t>(address) - info.kernel_virtual +
         info.kernel_physical.start;  // SAFETY: a number
}

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
                     reinterpret_cast<std::uint64_t>(cpu_area(cpu).local),
                     reinterpret_cast<std::uint64_t>(&arch_secondary_start)};
  // SAFETY: it is read past the caches.
  asm volatile("dc civac, %0\n dsb sy" ::"r"(&secondary_start) : "memory");
  std::int64_t status = power_call(psci_cpu_on, hardware_id, physical_of_image_address(secondary_entry),
                                   physical_of_image_address(&secondary_start));
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

void serve_calls() {
  Mailbox& mailbox = mailboxes[cpu_index()];
  for (unsigned word = 0; word < max_cpus / 64; ++word) {
    std::uint64_t senders = mailbox.senders[word].load(std::memory_order_relaxed);
    if (!senders) continue;
    senders =
        mailbox.senders[word].exchange(0, std::memory_order_acquire);  // the sender's function is visible
    while (senders) {
      OwnCall& call = own_calls[word * 64 + static_cast<unsigned>(__builtin_ctzll(senders))];
      senders &= senders - 1;
      (*call.function)();
      call.pending.fetch_sub(1, std::memory_order_release);  // what the function did is visible to the sender
    }
  }
}

void call_on_cpus(std::span<const std::uint64_t> mask, base::FunctionRef<void()> function) {
  preempt_count_add(1);
  unsigned self = cpu_index(), count = cpu_count();
  OwnCall& call = own_calls[self];
  bool run_here = false;
  unsigned receivers = 0;
  auto in_mask = [&](unsigned cpu) { return cpu / 64 < mask.size() && (mask[cpu / 64] >> (cpu % 64) & 1); };
  for (unsigned cpu = 0; cpu < count; ++cpu) {
    if (!in_mask(cpu)) continue;
    if (cpu == self)
      run_here = true;
    else
      ++receivers;
  }
  if (receivers) {
    call.function = &function;
    call.pending.store(receivers, std::memory_order_relaxed);
    for (unsigned cpu = 0; cpu < count; ++cpu) {
      if (cpu == self || !in_mask(cpu)) continue;
      mailboxes[cpu].senders[self / 64].fetch_or(std::uint64_t{1} << (self % 64), std::memory_order_release);
      send_interrupt(SystemInterrupt::call, cpu);
    }
  }
  if (run_here) {
    InterruptsOff off;
    function();
  }
  while (receivers && call.pending.load(std::memory_order_acquire)) {
    if (stop_requested()) halt_forever();
    // With interrupts off two callers would wait for each other.
    if (!interrupts_enabled()) serve_calls();
    relax();
  }
  if (preempt_count_subtract(1) && interrupts_enabled()) core::preempt_reschedule();
}

void call_on_cpu(unsigned cpu, base::FunctionRef<void()> function) {
  std::uint64_t mask[max_cpus / 64] = {};
  mask[cpu / 64] = std::uint64_t{1} << (cpu % 64);
  call_on_cpus(mask, function);
}

void call_on_all_cpus(base::FunctionRef<void()> function) {
  std::uint64_t mask[max_cpus / 64];
  std::memset(mask, 0xff, sizeof(mask));
  call_on_cpus(mask, function);
}

bool stop_requested() { return all_stop.load(std::memory_order_relaxed); }

void stop_other_cpus() {
  if (all_stop.exchange(true)) return;
  unsigned self = cpu_index();
  for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
    if (cpu != self) send_non_maskable(cpu);
  delay_microseconds(1000);
}

// Not as strong as its name: a CPU that has interrupts off does not listen.
void send_non_maskable(unsigned cpu) { send_interrupt(SystemInterrupt::attention, cpu); }

void serve_attention() {
  if (stop_requested()) halt_forever();
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
  start_cpu_interrupts();
  mark_cpu_online(this_cpu_local().cpu_index);
  core::secondary_cpu_main();
}
