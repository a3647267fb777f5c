// PSCI (ARM DEN 0022): how firmware starts CPUs and switches the machine off.
#pragma once

#include <cstdint>

namespace arch {

// The number that PSCI returns: 0 is success. -1 without PSCI.
std::int64_t power_call(std::uint32_t function, std::uint64_t first = 0, std::uint64_t second = 0,
                        std::uint64_t third = 0);

inline constexpr std::uint32_t psci_cpu_on = 0xc4000003, psci_system_off = 0x84000008,
                               psci_system_reset = 0x84000009;

}  // namespace arch
