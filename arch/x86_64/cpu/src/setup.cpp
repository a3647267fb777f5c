#include <arch/cpu.h>

#include "local_apic.h"
#include "x86_64/smp.h"

namespace arch {

void initialize_interrupt_controller() { initialize_local_apic(); }

}  // namespace arch
