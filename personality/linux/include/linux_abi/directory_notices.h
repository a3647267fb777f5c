// fcntl(F_NOTIFY): a signal when something changes in a directory ("dnotify").
#pragma once

#include "linux_abi/prelude.h"
#include "vfs/file.h"

namespace linux_abi {

// `mask`: DN_*; nothing but DN_MULTISHOT ends it. ENOTDIR.
Result<long> notice_directory(Context& context, vfs::File& file, int descriptor, std::uint64_t mask);

}  // namespace linux_abi
