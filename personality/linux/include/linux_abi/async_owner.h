// Who gets SIGIO for a file with O_ASYNC: fcntl's F_SETOWN, F_SETSIG and relatives.
#pragma once

#include "linux_abi/prelude.h"
#include "vfs/file.h"

namespace linux_abi {

Result<long> async_owner_control(Context& context, vfs::File& file, int command, std::uint64_t argument);
// Tells the owner of something that has to do with a descriptor. Any context that may send signals.
void signal_owner(vfs::File& file, int descriptor, vfs::PollEvents events);

}  // namespace linux_abi
