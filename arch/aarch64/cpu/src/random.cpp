#include "arch_common/random.h"

#include "aarch64/features.h"

namespace arch {

std::optional<std::uint64_t> hardware_random() {
  for (unsigned i = 0; cpu_features().random && i < 10; ++i) {
    std::uint64_t random, good;
    // SAFETY: RNDR only produces a number; the zero flag says that there was none.
    asm volatile("mrs %0, S3_3_C2_C4_0\n cset %1, ne" : "=r"(random), "=r"(good)::"cc");
    if (good) return random;
  }
  return std::nullopt;
}

}  // namespace arch
