// RISC-V: structures of Linux's interface.
#pragma once

#include <arch/linux_generic_abi.h>

namespace arch {

inline constexpr char linux_machine[] = "riscv64";
// Under personality(PER_LINUX32).
inline constexpr char linux_machine_32[] = "riscv32";
inline constexpr unsigned linux_elf_machine = 243;
inline constexpr unsigned linux_open_directory = 0200000, linux_open_no_follow = 0400000,
                          linux_open_direct = 040000, linux_open_large_file = 0100000;
inline constexpr unsigned linux_restorer_flag = 0;  // handlers return into the vDSO

}  // namespace arch
