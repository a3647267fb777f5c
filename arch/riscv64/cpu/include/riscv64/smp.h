// Harts, as the device tree and the interrupt controller's driver see them.
#pragma once

#include <cstdint>
#include <optional>

#include "device_tree/tree.h"

namespace arch {

// The number of the hart that a node of /cpus describes.
std::optional<std::uint64_t> hart_of(const device_tree::Node& cpu);

// This CPU takes device interrupts from now on (arch/interrupt.h): the controller is ready for it.
void enable_external_interrupts();

// Called on each further CPU with interrupts off, before it takes part in anything: for the interrupt
// controller's part of the CPU.
void set_cpu_start_hook(void (*hook)(unsigned cpu));

// A way for CPUs to interrupt each other that is shorter than the firmware's: `send` has take_cpu_requests()
// called on the other CPU, with interrupts off; false: there is no such way to this one. For the interrupt
// controller, once; CPUs that send at that moment do either.
void set_cpu_interrupter(bool (*send)(unsigned cpu));
void take_cpu_requests();

}  // namespace arch
