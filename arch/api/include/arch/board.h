// What an architecture provides whose machine is described by a device tree. platform/board calls these, in
// this order, once memory works and nothing else does; other architectures do not have them.
#pragma once

#include "base/result.h"
#include "device_tree/tree.h"

namespace arch {

// A CPU that the firmware lists as available (its node under /cpus), the one that runs now among them.
void add_board_cpu(const device_tree::Node& cpu);
// How CPUs are started and how the machine is switched off.
void initialize_board_power(const device_tree::Tree& tree);
// The counter and each CPU's timer; interrupt controllers are ready.
void initialize_board_time(const device_tree::Tree& tree);
// The battery-backed clock, if a driver for one was found: seconds since 1970, and how to set it.
struct BoardClock {
  std::uint64_t (*read_seconds)() = nullptr;
  void (*write_seconds)(std::uint64_t) = nullptr;
};
void set_board_clock(const BoardClock& clock);

}  // namespace arch
