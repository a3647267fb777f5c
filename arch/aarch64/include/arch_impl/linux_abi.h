// AArch64: structures of Linux's interface.
#pragma once

#include <arch/linux_generic_abi.h>

namespace arch {

inline constexpr char linux_machine[] = "aarch64", linux_machine_32[] = "armv8l";
inline constexpr unsigned linux_elf_machine = 183;
inline constexpr unsigned linux_open_directory = 040000, linux_open_no_follow = 0100000,
                          linux_open_direct = 0200000, linux_open_large_file = 0400000;
inline constexpr unsigned linux_restorer_flag = 0x04000000;

}  // namespace arch
