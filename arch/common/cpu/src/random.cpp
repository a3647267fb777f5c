#include "arch_common/random.h"

#include <arch/cpu.h>
#include <arch/time.h>

namespace arch {
namespace {

constinit std::uint64_t state = 0x243f6a8885a308d3;

// Times at which we are asked, and the place that boot has chosen for the image, spread over the word
// (splitmix64): all there is without a generator.
std::uint64_t mix_counter() {
  std::uint64_t z = __atomic_add_fetch(&state, counter() | 1, __ATOMIC_RELAXED) * 0x9e3779b97f4a7c15;
  z ^= reinterpret_cast<std::uintptr_t>(&state) >> 21;  // SAFETY: a number
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

}  // namespace

std::uint64_t random_seed() { return mix_counter() ^ hardware_random().value_or(0); }

}  // namespace arch
