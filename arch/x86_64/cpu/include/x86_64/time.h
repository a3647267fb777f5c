// Set-up of time.
#pragma once

#include <cstdint>

namespace arch {

// Boot CPU, with the local APIC enabled: finds the rate of the time-stamp counter and of the APIC's timer.
// `hpet` is the virtual address of the high precision event timer, null when there is none; `pm_timer_port`
// of the ACPI timer, 0 when none. From here on nanoseconds(), delays and timers work.
void initialize_time(const volatile void* hpet, std::uint16_t pm_timer_port);

}  // namespace arch
