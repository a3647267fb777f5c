// RISC-V: numbers of Linux's system calls: the common table and two of its own.
#pragma once

#include <arch/linux_generic_syscall_numbers.h>

namespace arch::linux_number {

inline constexpr int riscv_hwprobe = 258, riscv_flush_icache = 259;

// Younger than the call that replaced it.
inline constexpr int renameat = not_here;

}  // namespace arch::linux_number
