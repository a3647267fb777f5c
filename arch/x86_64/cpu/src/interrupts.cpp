// Vectors above the processor's own: device interrupts by way of the controller's driver, and what CPUs send
// each other.
#include "interrupts.h"

#include <arch/cpu.h>
#include <arch/interrupt.h>
#include <arch/upcalls.h>

#include "arch_common/calls.h"
#include "base/check.h"
#include "local_apic.h"
#include "x86_64/cpu_area.h"

namespace arch {
namespace {

constinit void (*device_handler)(unsigned vector) = nullptr;
// One bit for each device vector that is handed out.
constinit std::uint64_t vectors_in_use[4] = {};

void count(SystemVector vector) {
  unsigned index = static_cast<unsigned>(vector) - static_cast<unsigned>(SystemVector::first);
  ++cpu_area(cpu_index()).system_interrupts[index];
}

}  // namespace

void dispatch_interrupt(unsigned vector) {
  preempt_count_add(preempt_interrupt_unit);
  switch (static_cast<SystemVector>(vector)) {
    case SystemVector::timer:
      count(SystemVector::timer);
      end_of_interrupt();
      core::timer_interrupt();
      break;
    case SystemVector::reschedule:
      count(SystemVector::reschedule);
      end_of_interrupt();
      set_need_reschedule();
      break;
    case SystemVector::call:
      count(SystemVector::call);
      end_of_interrupt();
      serve_calls();
      break;
    case SystemVector::error:
      count(SystemVector::error);
      end_of_interrupt();
      break;
    case SystemVector::spurious:
      break;  // not acknowledged, by definition
    default:
      if (vector >= first_device_vector() && device_handler)
        device_handler(vector);
      else if (vector >= first_device_vector())
        end_of_interrupt();
      break;
  }
  // Whoever wanted a reschedule meanwhile gets it where the interrupt returns.
  (void)preempt_count_subtract(preempt_interrupt_unit);
}

unsigned first_device_vector() { return 0x30; }
unsigned device_vector_count() { return static_cast<unsigned>(SystemVector::first) - first_device_vector(); }

base::Result<unsigned> allocate_device_vector() {
  for (unsigned i = 0; i < device_vector_count(); ++i) {
    std::uint64_t bit = std::uint64_t{1} << (i % 64);
    if (!(__atomic_fetch_or(&vectors_in_use[i / 64], bit, __ATOMIC_ACQ_REL) & bit))
      return first_device_vector() + i;
  }
  return base::error(base::Errno::enospc);
}

void free_device_vector(unsigned vector) {
  unsigned i = vector - first_device_vector();
  __atomic_fetch_and(&vectors_in_use[i / 64], ~(std::uint64_t{1} << (i % 64)), __ATOMIC_ACQ_REL);
}

void set_device_interrupt_handler(void (*handler)(unsigned vector)) { device_handler = handler; }

std::uint32_t hardware_cpu_id(unsigned cpu) { return cpu_local(cpu).apic_id; }

InterruptStatistic interrupt_statistic(unsigned cpu, unsigned i) {
  const std::uint64_t* counts = cpu_area(cpu).system_interrupts;
  switch (i) {
    case 0:
      return {"NMI", "Non-maskable interrupts", cpu_area(cpu).non_maskable_interrupts};
    case 1:
      return {"LOC", "Local timer interrupts", counts[0]};
    case 2:
      return {"RES", "Rescheduling interrupts", counts[1]};
    case 3:
      return {"CAL", "Function call interrupts", counts[2]};
    case 4:
      return {"ERR", "APIC error interrupts", counts[3]};
    default:
      return {nullptr, nullptr, 0};
  }
}

}  // namespace arch
