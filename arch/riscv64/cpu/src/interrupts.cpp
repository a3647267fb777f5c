// There are no vectors: one cause for all devices, whose controller is asked which it was, and one for what
// CPUs send each other, with the reason in a word of the receiver's.
#include "interrupts.h"

#include <atomic>

#include <arch/cpu.h>
#include <arch/interrupt.h>
#include <arch/smp.h>
#include <arch/upcalls.h>

#include "arch_common/calls.h"
#include "riscv64/cpu_area.h"
#include "riscv64/registers.h"
#include "riscv64/sbi.h"
#include "riscv64/smp.h"
#include "riscv64/time.h"

namespace arch {
namespace {

constinit void (*device_handler)(unsigned vector) = nullptr;
constinit std::atomic<bool (*)(unsigned cpu)> interrupter{nullptr};

struct alignas(cache_line_size) Inbox {
  std::atomic<unsigned> requests{0};
  bool trace_wanted = false;  // this CPU's own
};
constinit Inbox inboxes[max_cpus];

enum Statistic : unsigned { timer_count, reschedule_count, call_count, non_maskable_count };
void count(Statistic statistic) { ++cpu_area(cpu_index()).interrupts[statistic]; }

}  // namespace

void set_cpu_interrupter(bool (*send)(unsigned cpu)) { interrupter.store(send, std::memory_order_release); }

void take_cpu_requests() {
  full_memory_barrier();  // a request after this one interrupts again
  Inbox& inbox = inboxes[cpu_index()];
  unsigned requests = inbox.requests.exchange(0, std::memory_order_acq_rel);
  auto has = [requests](Request request) { return requests & static_cast<unsigned>(request); };
  if (has(Request::reschedule)) {
    count(reschedule_count);
    set_need_reschedule();
  }
  if (has(Request::call)) {
    count(call_count);
    serve_calls();
  }
  if (has(Request::non_maskable)) {
    count(non_maskable_count);
    if (stop_requested()) stop_this_cpu();
    inbox.trace_wanted = true;
  }
}

void send_request(unsigned cpu, Request request) {
  unsigned bit = static_cast<unsigned>(request);
  // release: what the request is about is visible to the receiver. Whoever finds the word empty interrupts.
  if (inboxes[cpu].requests.fetch_or(bit, std::memory_order_acq_rel) & bit) return;
  full_memory_barrier();
  auto send = interrupter.load(std::memory_order_acquire);
  if (!send || !send(cpu)) send_hart_interrupt(cpu_local(cpu).hart);
}

void dispatch_interrupt(std::uint64_t cause) {
  preempt_count_add(preempt_interrupt_unit);
  switch (static_cast<InterruptCause>(cause)) {
    case InterruptCause::timer:
      count(timer_count);
      set_timer_off();
      core::timer_interrupt();
      break;
    case InterruptCause::software:
      clear_sip(interrupt_bit(InterruptCause::software));
      take_cpu_requests();
      break;
    case InterruptCause::external:
      if (device_handler)
        device_handler(first_device_vector());
      else
        clear_sie(interrupt_bit(InterruptCause::external));
      break;
  }
  // Whoever wanted a reschedule meanwhile gets it where the interrupt returns.
  (void)preempt_count_subtract(preempt_interrupt_unit);
}

void answer_non_maskable_request(const TrapFrame& frame) {
  Inbox& inbox = inboxes[cpu_index()];
  if (!inbox.trace_wanted) return;
  inbox.trace_wanted = false;
  core::non_maskable_request(frame.pc, frame.s0);
}

void enable_interrupt_kinds() {
  set_sie(interrupt_bit(InterruptCause::software) | interrupt_bit(InterruptCause::timer));
}
void enable_external_interrupts() { set_sie(interrupt_bit(InterruptCause::external)); }

unsigned first_device_vector() { return 0; }
unsigned device_vector_count() { return 1; }
// The one there is belongs to the board's controller.
base::Result<unsigned> allocate_device_vector() { return base::error(base::Errno::enospc); }
void free_device_vector(unsigned) {}

void set_device_interrupt_handler(void (*handler)(unsigned vector)) { device_handler = handler; }

std::uint32_t hardware_cpu_id(unsigned cpu) { return static_cast<std::uint32_t>(cpu_local(cpu).hart); }
// The controller's driver does it itself: it needs to know which interrupt ends.
void end_of_interrupt() {}

InterruptStatistic interrupt_statistic(unsigned cpu, unsigned i) {
  const std::uint64_t* counts = cpu_area(cpu).interrupts;
  switch (i) {
    case 0:
      return {"LOC", "Local timer interrupts", counts[timer_count]};
    case 1:
      return {"RES", "Rescheduling interrupts", counts[reschedule_count]};
    case 2:
      return {"CAL", "Function call interrupts", counts[call_count]};
    case 3:
      return {"NMI", "Back trace requests", counts[non_maskable_count]};
    default:
      return {nullptr, nullptr, 0};
  }
}

}  // namespace arch
