// Functions that other CPUs ask this one to run.
#pragma once

namespace arch {

// Runs what has been asked for. Interrupts off.
void serve_calls();

// True when a panicking CPU has asked all others to stop.
bool stop_requested();

}  // namespace arch
