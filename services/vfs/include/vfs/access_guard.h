// Rules beyond permissions that the running thread may be under: Landlock.
//
// The entry points that open, make, move and remove things ask once they know where; it costs one load until
// the first thread has put itself under rules.
#pragma once

#include <atomic>
#include <cstdint>

#include "vfs/path.h"
#include "vfs/types.h"

namespace vfs {

// LANDLOCK_ACCESS_FS_* values. Making and removing are asked of the directory.
using GuardedAccess = std::uint32_t;
inline constexpr GuardedAccess guarded_execute = 1 << 0, guarded_write_file = 1 << 1,
                               guarded_read_file = 1 << 2, guarded_read_directory = 1 << 3,
                               guarded_remove_directory = 1 << 4, guarded_remove_file = 1 << 5,
                               guarded_make_character = 1 << 6, guarded_make_directory = 1 << 7,
                               guarded_make_regular = 1 << 8, guarded_make_socket = 1 << 9,
                               guarded_make_fifo = 1 << 10, guarded_make_block = 1 << 11,
                               guarded_make_symlink = 1 << 12, guarded_refer = 1 << 13;

class AccessGuard {
 public:
  // EACCES.
  virtual Result<void> may(const Path& path, GuardedAccess access) = 0;
  // Something gets another parent: `from` and `to` are the directories. EACCES; EXDEV: it may be done here
  // and there, but not from here to there.
  virtual Result<void> may_refer(const Path& from, GuardedAccess in_from, const Path& to,
                                 GuardedAccess in_to) = 0;

 protected:
  ~AccessGuard() = default;
};
// From the first time that somebody is under rules.
void set_access_guard(AccessGuard& guard);

extern constinit std::atomic<AccessGuard*> access_guard;
inline Result<void> guard_access(const Path& path, GuardedAccess access) {
  AccessGuard* guard = access_guard.load();
  if (!guard) [[likely]]
    return {};
  return guard->may(path, access);
}
inline Result<void> guard_refer(const Path& from, GuardedAccess in_from, const Path& to,
                                GuardedAccess in_to) {
  AccessGuard* guard = access_guard.load();
  if (!guard) [[likely]]
    return {};
  return guard->may_refer(from, in_from, to, in_to);
}
// What making an object of this type is called.
GuardedAccess guarded_making(Mode mode);

}  // namespace vfs
