#include "interrupts.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>
#include <arch/upcalls.h>

#include "aarch64/cpu_area.h"
#include "aarch64/interrupt_controller.h"
#include "arch_common/calls.h"
#include "base/check.h"
#include "timer.h"

namespace arch {
namespace {

constinit InterruptController controller{};
constinit void (*device_handler)(unsigned vector) = nullptr;
constinit unsigned timer_interrupt_number = ~0u;

void count(unsigned kind) { ++cpu_area(cpu_index()).system_interrupts[kind]; }

void dispatch(unsigned interrupt) {
  this_cpu_local().active_interrupt = interrupt;
  if (interrupt >= first_device_interrupt) {
    if (device_handler)
      device_handler(interrupt);
    else
      end_of_interrupt();
    return;
  }
  if (interrupt == timer_interrupt_number) {
    count(0);
    stop_timer();  // its line stays active until then
    end_of_interrupt();
    core::timer_interrupt();
    return;
  }
  end_of_interrupt();
  switch (static_cast<SystemInterrupt>(interrupt)) {
    case SystemInterrupt::reschedule:
      count(1);
      set_need_reschedule();
      break;
    case SystemInterrupt::call:
      count(2);
      serve_calls();
      break;
    case SystemInterrupt::attention:
      count(3);
      serve_attention();
      break;
    default:
      break;
  }
}

}  // namespace

void set_interrupt_controller(const InterruptController& given) { controller = given; }
void set_timer_interrupt(unsigned interrupt) { timer_interrupt_number = interrupt; }

void dispatch_interrupts() {
  preempt_count_add(preempt_interrupt_unit);
  for (;;) {
    unsigned interrupt = controller.acknowledge();
    if (interrupt >= spurious_interrupt) break;
    dispatch(interrupt);
  }
  // Whoever wanted a reschedule meanwhile gets it where the interrupt returns.
  (void)preempt_count_subtract(preempt_interrupt_unit);
}

void start_local_interrupts() {
  for (unsigned i = 0; i < 3; ++i) controller.enable_local(i);
  if (timer_interrupt_number != ~0u) controller.enable_local(timer_interrupt_number);
}

void send_interrupt(SystemInterrupt interrupt, unsigned cpu) {
  full_memory_barrier();  // what the receiver is to see
  controller.send(static_cast<unsigned>(interrupt), cpu);
}

void start_cpu_interrupts() {
  controller.start_cpu();
  start_local_interrupts();
}

// Vectors are interrupt numbers here, fixed by the board: there is nothing to hand out.
unsigned first_device_vector() { return first_device_interrupt; }
unsigned device_vector_count() { return 0; }
base::Result<unsigned> allocate_device_vector() { return base::error(base::Errno::enospc); }
void free_device_vector(unsigned) {}

void set_device_interrupt_handler(void (*handler)(unsigned vector)) { device_handler = handler; }

std::uint32_t hardware_cpu_id(unsigned cpu) { return static_cast<std::uint32_t>(cpu_local(cpu).hardware_id); }
void end_of_interrupt() { controller.end(this_cpu_local().active_interrupt); }

InterruptStatistic interrupt_statistic(unsigned cpu, unsigned i) {
  const std::uint64_t* counts = cpu_area(cpu).system_interrupts;
  switch (i) {
    case 0:
      return {"LOC", "Local timer interrupts", counts[0]};
    case 1:
      return {"IPI0", "Rescheduling interrupts", counts[1]};
    case 2:
      return {"IPI1", "Function call interrupts", counts[2]};
    case 3:
      return {"IPI2", "CPU stop and backtrace interrupts", counts[3]};
    default:
      return {nullptr, nullptr, 0};
  }
}

}  // namespace arch
