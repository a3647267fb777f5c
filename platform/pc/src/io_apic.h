// The IO-APICs: interrupt lines of the board, numbered through as global system interrupts (GSI).
#pragma once

#include <cstdint>

#include "acpi/tables.h"

namespace platform {

// Finds the controllers and the exceptions for the old ISA lines in the MADT, masks every line. Once, when
// memory works.
void initialize_io_apics(acpi::Table madt);

}  // namespace platform
