// Harts, as the device tree and the interrupt controller's driver see them.
#pragma once

#include <optional>

#include "device_tree/tree.h"

namespace arch {

// Where among the interrupts of a controller's node ("interrupts-extended") the one is that comes to this CPU
// in supervisor mode; the controller's registers count harts in this order. None: it does not interrupt that
// CPU.
std::optional<unsigned> supervisor_interrupt_index(const device_tree::Node& controller, unsigned cpu);
// True when the first of them is for supervisor mode, and so all are: of controllers with a node for each
// mode.
bool interrupts_supervisor(const device_tree::Node& controller);

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
