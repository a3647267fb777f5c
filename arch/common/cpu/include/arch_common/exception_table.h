// Instructions of the kernel that may fault, because they touch user memory or try something out, and where
// the code goes on then. Each architecture's assembly lists its own in the section exception_table.
#pragma once

#include <cstdint>

namespace arch {

// 0: the instruction is not one of them.
std::uintptr_t find_fixup(std::uintptr_t instruction);

}  // namespace arch
