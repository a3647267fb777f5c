// The numbers of pseudo-terminals in use, and what opens by them.
//
// Thread context. A pair is in the table from the open of its master until that file is released.
#pragma once

#include "base/function_ref.h"
#include "base/ref.h"
#include "base/result.h"
#include "pty_terminal.h"
#include "vfs/file_system.h"

namespace pty {

inline constexpr std::uint32_t slave_major = 136;  // and the seven after it, 256 minors each
inline constexpr unsigned maximum_pairs = 4096;    // Linux's default for /proc/sys/kernel/pty/max

constexpr vfs::DeviceNumber device_of(unsigned index) { return {slave_major, index}; }

// A new pair under the lowest free number; ENOSPC when all are taken.
base::Result<base::RefPtr<PtyTerminal>> create_pair(vfs::UserId uid, vfs::GroupId gid);
void retire_pair(PtyTerminal& terminal);
// Null when there is no such pair.
base::RefPtr<PtyTerminal> find_pair(unsigned index);
// The first pair with a number of at least `index`.
base::RefPtr<PtyTerminal> next_pair(unsigned index);

}  // namespace pty
