#include "arch_common/random.h"

namespace arch {

// Not one that every processor has. The firmware's seed has chosen the place of the image
// (boot/src/early.cpp), which random_seed() mixes in.
std::optional<std::uint64_t> hardware_random() { return std::nullopt; }

}  // namespace arch
