// Functions that other CPUs ask this one to run.
#pragma once

namespace arch {

// Runs what has been asked for. Interrupts off.
void serve_calls();
// A panicking CPU stops us, or somebody wants a back trace. Interrupts off.
void serve_attention();
// On a new CPU: its interrupts.
void start_cpu_interrupts();

// True when a panicking CPU has asked all others to stop.
bool stop_requested();

}  // namespace arch
