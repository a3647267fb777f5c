// Set-user-ID programs and what exec does to capabilities (capabilities(7), "Transformation of capabilities
// during execve()").
#include "exec_private.h"
#include "linux_abi/tracing.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

constexpr std::uint32_t secure_noroot = 1, secure_keep_caps = 0x10;

// A tracer must not get through its tracee what it may not do itself.
bool honours_set_id(const Task& task, const vfs::Credentials& old, const vfs::File& file) {
  Tracing* tracing = Tracing::find(task);
  if (tracing && tracing->no_new_privileges.load()) return false;
  if (is_traced(task) && !tracing->tracer_may_everything) return false;
  return !old.no_new_privileges && !(file.path() && file.path().mount().has(vfs::mount_no_set_uid));
}

}  // namespace

Result<ExecCredentials> credentials_for_exec(const Task& task, vfs::File& file) {
  const vfs::Credentials& old = task.credentials();
  auto changed = TRY(old.try_clone());
  vfs::Mode mode = file.inode().mode();
  bool set_id = false;
  if (honours_set_id(task, old, file)) {
    if (mode & vfs::mode_set_uid) {
      set_id |= changed->euid != file.inode().uid();
      changed->euid = file.inode().uid();
    }
    // Without the group's execute bit the set-group-ID bit means something else (mandatory locking).
    if ((mode & vfs::mode_set_gid) && (mode & 010)) {
      set_id |= changed->egid != file.inode().gid();
      changed->egid = file.inode().gid();
    }
  }
  changed->suid = changed->fsuid = changed->euid;
  changed->sgid = changed->fsgid = changed->egid;

  if (set_id) changed->ambient = {};
  bool root = !(old.secure_bits & secure_noroot) && (changed->euid == 0 || changed->uid == 0);
  if (root) {
    changed->permitted = changed->inheritable | changed->bounding;
    changed->effective = changed->euid == 0 ? changed->permitted : changed->ambient;
  } else {
    changed->permitted = changed->ambient;
    changed->effective = changed->ambient;
  }
  changed->secure_bits &= ~secure_keep_caps;
  bool secure = changed->euid != changed->uid || changed->egid != changed->gid ||
                (changed->uid != 0 && root && !changed->permitted.is_subset_of(changed->ambient));
  return ExecCredentials{std::move(changed), secure};
}

}  // namespace linux_abi
