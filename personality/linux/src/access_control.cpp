#include "linux_abi/access_control.h"

#include "linux_abi/landlock.h"
#include "linux_abi/task_extras.h"

namespace linux_abi {

Result<void> may_inspect(Task& task, Process& target) {
  if (&task.process() == &target) return {};
  const vfs::Credentials& own = task.credentials();
  auto other = credentials_of(target);
  if (!other) return error(Errno::esrch);
  // Out of the rules one is under nobody reaches through others.
  if (auto domain = current_landlock_domain()) {
    auto leader = target.leader();
    auto theirs = leader ? TaskExtras::domain_of(*leader) : RefPtr<const LandlockDomain>{};
    if (!domain->includes(theirs.get())) return error(Errno::eperm);
  }
  if (own.can(vfs::Capability::sys_ptrace)) return {};
  bool same = own.uid == other->euid && own.uid == other->suid && own.uid == other->uid &&
              own.gid == other->egid && own.gid == other->sgid && own.gid == other->gid;
  if (!same || target.dumpable.load() != 1 || !other->permitted.is_subset_of(own.permitted))
    return error(Errno::eperm);
  return {};
}

void apply_memory_limits(Process& process) {
  auto space = process.address_space();
  if (!space) return;
  core::MemoryLimits limits;
  limits.address_space = process.limit_current(Resource::as);
  limits.data = process.limit_current(Resource::data);
  limits.stack = process.limit_current(Resource::stack);
  limits.locked = process.limit_current(Resource::memlock);
  auto credentials = credentials_of(process);
  limits.may_lock_without_limit = credentials && credentials->can(vfs::Capability::ipc_lock);
  space->set_limits(limits);
}

}  // namespace linux_abi
