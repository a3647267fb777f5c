// The kernel's shared object in every program, and how addresses are chosen.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/memory/address_space.h"
#include "linux_abi/signal_state.h"

namespace linux_abi {

// /proc/sys/kernel/randomize_va_space: 0 off, 1 all but the break, 2 all.
std::atomic<int>& randomize_va_space();
inline bool randomize_addresses() { return randomize_va_space().load(std::memory_order_relaxed) != 0; }

}  // namespace linux_abi
