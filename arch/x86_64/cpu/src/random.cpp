#include <arch/cpu.h>
#include <arch/time.h>

#include "x86_64/features.h"

namespace arch {
namespace {

constinit std::uint64_t state = 0x243f6a8885a308d3;

// Without a hardware generator: times at which we are asked, spread over the word (splitmix64).
std::uint64_t mix_counter() {
  std::uint64_t z = __atomic_add_fetch(&state, counter() | 1, __ATOMIC_RELAXED) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

}  // namespace

std::uint64_t random_seed() {
  // SAFETY: instructions that only produce a number.
  std::uint64_t value = mix_counter();
  if (cpu_features().rdrand) {
    for (unsigned i = 0; i < 10; ++i) {
      std::uint64_t random;
      bool good;
      asm volatile("rdrand %0" : "=r"(random), "=@ccc"(good));
      if (good) return value ^ random;
    }
  }
  return value;
}

}  // namespace arch
