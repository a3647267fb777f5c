// Functions that CPUs ask each other to run (arch/smp.h: call_on_cpus, stop_other_cpus).
//
// The shared part keeps the mailboxes and does the waiting; the architecture interrupts the receiver
// (send_call) and calls serve_calls() when such an interrupt arrives there.
#pragma once

namespace arch {

// The architecture's: makes `cpu` call serve_calls() soon. What this CPU has stored before is visible there
// then.
void send_call(unsigned cpu);

// Runs what has been asked for, or stops here for ever if that has been. Interrupts off.
void serve_calls();

// True when a panicking CPU has asked all others to stop. Any context.
bool stop_requested();
// This CPU's answer to it.
[[noreturn]] void stop_this_cpu();

}  // namespace arch
