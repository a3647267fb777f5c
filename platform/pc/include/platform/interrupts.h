// Interrupt lines of the PC by the names that hardware descriptions use. The results are numbers for
// core/interrupt.
#pragma once

#include "base/result.h"
#include "core/interrupt/interrupt_domain.h"

namespace platform {

// One of the sixteen ISA lines (serial port: 4), with the trigger that the firmware gives or ISA's own.
base::Result<unsigned> isa_interrupt(unsigned line);
// A global system interrupt (PCI without MSI, the ACPI interrupt).
base::Result<unsigned> global_interrupt(unsigned gsi, core::InterruptTrigger trigger);

}  // namespace platform
