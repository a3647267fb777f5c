// Set-up of time.
#pragma once

#include <cstdint>

namespace arch {

// Every CPU.
void enable_timer();
// Interrupts off: the timer of this CPU no longer asks for an interrupt.
void set_timer_off();

}  // namespace arch
