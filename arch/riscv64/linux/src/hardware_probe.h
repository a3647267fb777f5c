// riscv_hwprobe(2): what a program may ask about the processor.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace arch {

// Fills the value of each of `count` pairs (key, value) at `pairs`. EINVAL, EFAULT as on Linux.
base::Result<long> probe_hardware(std::uintptr_t pairs, std::uint64_t count, std::uint64_t cpu_bytes,
                                  std::uintptr_t cpus, std::uint32_t flags);

}  // namespace arch
