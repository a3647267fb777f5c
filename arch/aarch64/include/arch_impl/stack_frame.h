// AArch64: how functions chain their frames. The caller's frame pointer, then the return address, lie at the
// frame pointer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arch {

// Words from there to the first of the two.
inline constexpr std::ptrdiff_t frame_record_at = 0;
// No address of the kernel is lower.
inline constexpr std::uintptr_t kernel_half = 0xffff000000000000;
// Without the signature, which lies where all addresses of the kernel have ones; it leaves bit 55 alone.
constexpr std::uintptr_t plain_return_address(std::uintptr_t stored) {
  return stored >> 55 & 1 ? stored | kernel_half : stored;
}

}  // namespace arch
