// For architectures whose signal handlers return by way of the vDSO.
#pragma once

#include <cstdint>

namespace arch {

// The vDSO's entry point, where handlers return to: an offset in the image. vdso.cmake names it to the
// linker.
std::uint64_t vdso_entry_offset();

}  // namespace arch
