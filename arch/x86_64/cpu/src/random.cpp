#include "arch_common/random.h"

#include "x86_64/features.h"

namespace arch {

std::optional<std::uint64_t> hardware_random() {
  for (unsigned i = 0; cpu_features().rdrand && i < 10; ++i) {
    std::uint64_t random;
    bool good;
    asm volatile("rdrand %0" : "=r"(random), "=@ccc"(good));  // SAFETY: only produces a number
    if (good) return random;
  }
  return std::nullopt;
}

}  // namespace arch
