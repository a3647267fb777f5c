// Advisory locks on files: POSIX record locks (fcntl), open-file-description locks, and flock.
//
// All locks of an inode are kept sorted by start in an InodeLocks, made when the first one is set. POSIX and
// OFD locks conflict with each other; flock locks only among themselves. An owner never conflicts with
// itself: setting over an own range replaces, splits and joins. Waiting for a POSIX lock fails with EDEADLK
// where it would close a circle.
#pragma once

#include <cstdint>
#include <optional>

#include "base/function_ref.h"
#include "vfs/file.h"

namespace vfs {

enum class LockKind : std::uint8_t { posix, open_file, flock };
enum class LockType : std::uint8_t { read, write, unlock };
enum class LockWait { fail, wait };

struct LockRange {
  LockKind kind = LockKind::posix;
  LockType type = LockType::read;
  std::uint64_t start = 0;
  std::uint64_t end = ~std::uint64_t{0} >> 1;  // inclusive; the largest offset means to the end of the file
  const void* owner = nullptr;                 // POSIX: the descriptor table; OFD and flock: the File
  int process_id = -1;                         // for F_GETLK and /proc/locks
};

// EAGAIN when it conflicts (LockWait::fail), EINTR when a signal came, EDEADLK, ENOLCK (no memory).
Result<void> set_lock(File& file, const LockRange& lock, LockWait wait);
// The first lock that would conflict.
std::optional<LockRange> find_conflict(File& file, const LockRange& lock);
// All locks of one owner on an inode.
void remove_locks(Inode& inode, const void* owner, LockKind kind);
// /proc/locks: each held lock with its inode, blocked ones with `blocked` true.
void for_each_lock(base::FunctionRef<void(const LockRange&, Inode&, bool blocked)> visit);

}  // namespace vfs
