// splice(2) and tee(2) between open files: for the calls themselves, and for io_uring.
#pragma once

#include "linux_abi/prelude.h"
#include "vfs/file.h"

namespace linux_abi {

inline constexpr unsigned splice_move = 1, splice_non_blocking = 2, splice_more = 4, splice_gift = 8,
                          splice_known_flags = splice_move | splice_non_blocking | splice_more | splice_gift;

// The side that is not a pipe may have an offset of its own, which moves on; null: the file's position.
// SIGPIPE is sent to `task` where there is EPIPE.
Result<std::size_t> splice_files(Task& task, vfs::File& source, std::int64_t* in_offset, vfs::File& target,
                                 std::int64_t* out_offset, std::size_t length, unsigned flags);
Result<std::size_t> tee_files(vfs::File& source, vfs::File& target, std::size_t length, unsigned flags);

}  // namespace linux_abi
