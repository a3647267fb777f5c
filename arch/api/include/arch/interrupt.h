// How interrupts reach the kernel. Interrupt controllers (platform/) are written against this; drivers use
// core/interrupt.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace arch {

// Interrupt vectors that controllers may hand out to devices: one number space for all CPUs.
unsigned first_device_vector();
unsigned device_vector_count();
base::Result<unsigned> allocate_device_vector();
void free_device_vector(unsigned vector);

// Called for each device interrupt with interrupts off, on the CPU that received it, before the end of
// interrupt is signalled. Set once, by the interrupt controller's driver.
void set_device_interrupt_handler(void (*handler)(unsigned vector));

// Identification of a CPU in the messages of interrupt controllers (x86: APIC identifier).
std::uint32_t hardware_cpu_id(unsigned cpu);
// Signals the end of the interrupt being handled to this CPU's controller.
void end_of_interrupt();

// Interrupts of each kind that `cpu` has taken, for /proc/interrupts: name, description and count of the
// i-th, name null after the last.
struct InterruptStatistic {
  const char* name;
  const char* description;
  std::uint64_t count;
};
InterruptStatistic interrupt_statistic(unsigned cpu, unsigned i);

}  // namespace arch
