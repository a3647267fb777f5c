// Pipes, and moving data between files without passing through the program.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

struct DescriptorPair {
  std::int32_t reader = -1, writer = -1;
};

Result<long> sys_pipe(Context& context, UserOut<DescriptorPair> out);
Result<long> sys_pipe2(Context& context, UserOut<DescriptorPair> out, unsigned flags);

namespace syscalls::pipes {

inline constexpr SyscallRow rows[] = {
    row<number::pipe, sys_pipe>("pipe"),
    row<number::pipe2, sys_pipe2>("pipe2", "O_CLOEXEC O_NONBLOCK O_DIRECT"),
};

}  // namespace syscalls::pipes

}  // namespace linux_abi
