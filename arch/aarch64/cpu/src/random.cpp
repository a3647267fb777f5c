#include <arch/cpu.h>
#include <arch/time.h>

#include "aarch64/features.h"

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
  std::uint64_t value = mix_counter();
  if (cpu_features().random) {
    for (unsigned i = 0; i < 10; ++i) {
      std::uint64_t random, good;
      // SAFETY: RNDR only produces a number; the zero flag says that there was none.
      asm volatile("mrs %0, S3_3_C2_C4_0\n cset %1, ne" : "=r"(random), "=r"(good)::"cc");
      if (good) return value ^ random;
    }
  }
  return value;
}

}  // namespace arch
