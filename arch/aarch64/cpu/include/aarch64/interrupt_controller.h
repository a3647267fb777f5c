// The interrupt controller as the CPUs see it. Numbers are those of the GIC: 0 to 15 are sent by CPUs, 16 to
// 31 belong to each CPU, then devices.
#pragma once

#include <cstdint>

namespace arch {

struct InterruptController {
  // The interrupt that this CPU takes now; none at or above `spurious`.
  unsigned (*acknowledge)() = nullptr;
  void (*end)(unsigned interrupt) = nullptr;
  // Sends number 0 to 15 to another CPU.
  void (*send)(unsigned interrupt, unsigned cpu) = nullptr;
  // On each CPU, before it takes interrupts.
  void (*start_cpu)() = nullptr;
  // On each CPU: number 16 to 31.
  void (*enable_local)(unsigned interrupt) = nullptr;
};

inline constexpr unsigned spurious_interrupt = 1020, first_device_interrupt = 32;

// Once, by its driver, which has called start_cpu() for the boot CPU.
void set_interrupt_controller(const InterruptController& controller);

}  // namespace arch
