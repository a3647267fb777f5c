#include "vfs/access_guard.h"

namespace vfs {

constinit std::atomic<AccessGuard*> access_guard{nullptr};

void set_access_guard(AccessGuard& guard) { access_guard.store(&guard); }

GuardedAccess guarded_making(Mode mode) {
  switch (mode & mode_type_mask) {
    case mode_directory:
      return guarded_make_directory;
    case mode_symlink:
      return guarded_make_symlink;
    case mode_character:
      return guarded_make_character;
    case mode_block:
      return guarded_make_block;
    case mode_fifo:
      return guarded_make_fifo;
    case mode_socket:
      return guarded_make_socket;
    default:
      return guarded_make_regular;
  }
}

}  // namespace vfs
