// RISC-V: how functions chain their frames. The caller's frame pointer, then the return address, lie below
// the frame pointer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arch {

// Words from there to the first of the two.
inline constexpr std::ptrdiff_t frame_record_at = -2;
// No address of the kernel is lower.
inline constexpr std::uintptr_t kernel_half = 0xff00000000000000;
constexpr std::uintptr_t plain_return_address(std::uintptr_t stored) { return stored; }

}  // namespace arch
