#include "arch_common/calls.h"

#include <arch/smp.h>

#include <atomic>
#include <cstring>

#include <arch/cpu.h>
#include <arch/time.h>
#include <arch/upcalls.h>

#include "core/sync/preempt.h"

namespace arch {
namespace {

constinit std::atomic<bool> all_stop{false};
constinit std::atomic<std::uint64_t> stopped_cpus[max_cpus / 64] = {};

// Every CPU has one call of its own under way at most; a bit in the receiver's mailbox says whose
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

}  // namespace

void serve_calls() {
  if (stop_requested()) stop_this_cpu();
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
      send_call(cpu);
    }
  }
  if (run_here) {
    InterruptsOff off;
    function();
  }
  while (receivers && call.pending.load(std::memory_order_acquire)) {
    if (stop_requested()) stop_this_cpu();
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

void stop_this_cpu() {
  disable_interrupts();
  unsigned self = cpu_index();
  stopped_cpus[self / 64].fetch_or(std::uint64_t{1} << (self % 64), std::memory_order_release);
  halt_forever();
}

// First a request that a CPU hears when its interrupts are on: it then holds no lock that is taken with
// interrupts off, such as those of the consoles. Only who does not hear it is stopped in the middle of
// things.
void stop_other_cpus() {
  constexpr unsigned patience_microseconds = 100'000, patience_after_non_maskable = 1000, step = 50;
  if (all_stop.exchange(true)) return;
  unsigned self = cpu_index(), count = cpu_count();
  auto runs = [self](unsigned cpu) {
    std::uint64_t stopped = stopped_cpus[cpu / 64].load(std::memory_order_acquire);
    return cpu != self && !(stopped >> (cpu % 64) & 1);
  };
  auto wait = [&](unsigned microseconds) {
    for (unsigned waited = 0; waited < microseconds; waited += step) {
      bool any = false;
      for (unsigned cpu = 0; cpu < count; ++cpu) any = any || runs(cpu);
      if (!any) return;
      delay_microseconds(step);
    }
  };
  for (unsigned cpu = 0; cpu < count; ++cpu)
    if (runs(cpu)) send_call(cpu);
  wait(patience_microseconds);
  for (unsigned cpu = 0; cpu < count; ++cpu)
    if (runs(cpu)) send_non_maskable(cpu);
  wait(patience_after_non_maskable);
}

}  // namespace arch
