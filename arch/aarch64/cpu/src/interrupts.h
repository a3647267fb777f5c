// The interrupts that the kernel itself uses.
#pragma once

namespace arch {

enum class SystemInterrupt : unsigned { reschedule = 0, call = 1, attention = 2 };

// Interrupts off. Takes what is pending, with the interrupt unit of the preemption count.
void dispatch_interrupts();
// This CPU takes interrupts of its own: those above and the timer.
void start_local_interrupts();
void send_interrupt(SystemInterrupt interrupt, unsigned cpu);
void set_timer_interrupt(unsigned interrupt);
// A panicking CPU stops us, or somebody wants a back trace. Interrupts off.
void serve_attention();
// On a new CPU: its interrupts.
void start_cpu_interrupts();

}  // namespace arch
