// The one-shot timer inside each CPU's interrupt controller.
#pragma once

namespace arch {

// Every CPU, with its local APIC enabled.
void enable_timer();

}  // namespace arch
