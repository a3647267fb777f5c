// io_uring_register(2).
#pragma once

#include "linux_abi/prelude.h"
#include "syscalls/async_io/uring_ring.h"

namespace linux_abi {

Result<long> uring_register(Context& context, Ring& ring, std::uint32_t operation, UserAddress argument,
                            std::uint32_t count);
Result<void> uring_set_files(Context& context, Ring& ring, std::uint32_t offset, UserAddress descriptors,
                             std::uint32_t count, long& done);

}  // namespace linux_abi
