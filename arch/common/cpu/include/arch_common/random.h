// Where random_seed() (arch/cpu.h) takes its numbers from.
#pragma once

#include <cstdint>
#include <optional>

namespace arch {

// The architecture's: a number from the processor's own generator; none where there is no such thing. Any
// context.
std::optional<std::uint64_t> hardware_random();

}  // namespace arch
