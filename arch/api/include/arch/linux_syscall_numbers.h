// The numbers of Linux's system calls on this architecture: arch::linux_number::openat and so on. A call that
// the architecture does not have is -1.
#pragma once

namespace arch::linux_number {
inline constexpr int not_here = -1;
}

#include <arch_impl/linux_syscall_numbers.h>
