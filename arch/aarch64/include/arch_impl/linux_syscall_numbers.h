// AArch64: the common numbers, and the one old call that it has kept.
#pragma once

#include <arch/linux_generic_syscall_numbers.h>

namespace arch::linux_number {
inline constexpr int renameat = 38;
}
