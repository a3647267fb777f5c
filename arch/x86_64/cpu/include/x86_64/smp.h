// Start of further CPUs: what boot and the firmware tables contribute.
#pragma once

#include <cstdint>

namespace arch {

// A CPU that the firmware lists, the one that runs now included. Order decides the numbers; the boot CPU is
// always 0.
void add_possible_cpu(std::uint32_t apic_id);

// Memory that boot has set aside: one page below 1 MiB, and a page table (below 4 GiB, the low 2 MiB mapped
// one to one) through which a starting CPU enters long mode.
struct TrampolineMemory {
  std::uintptr_t page = 0;
  std::uintptr_t root = 0;
};
void set_trampoline_memory(const TrampolineMemory& memory);

// Local APIC and time: boot CPU, once core/memory works. `hpet_physical` is 0 when there is none.
void initialize_interrupt_controller();

}  // namespace arch
