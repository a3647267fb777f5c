// getuid(2), setuid(2), setreuid(2), setresuid(2), setfsuid(2) and their group twins. The rules are those of
// credentials(7) and capabilities(7).
#include "linux_abi/core_dump.h"
#include "linux_abi/user_account.h"
#include "syscalls/credentials/rows.h"

namespace linux_abi {

namespace {

using vfs::Capability;
using vfs::Credentials;

constexpr std::uint32_t secure_no_setuid_fixup = 4, secure_keep_caps = 0x10;

// What leaving and entering user id 0 does to capabilities (capabilities(7), "Effect of user ID changes").
void adjust_capabilities(const Credentials& old, Credentials& changed) {
  if (changed.secure_bits & secure_no_setuid_fixup) return;
  bool was_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
  bool is_root = changed.uid == 0 || changed.euid == 0 || changed.suid == 0;
  if (was_root && !is_root) {
    if (!(changed.secure_bits & secure_keep_caps)) {
      changed.permitted = {};
      changed.effective = {};
    }
    changed.ambient = {};
  }
  if (old.euid == 0 && changed.euid != 0) changed.effective = {};
  if (old.euid != 0 && changed.euid == 0) changed.effective = changed.permitted;
}

Result<long> commit(Context& context, RefPtr<Credentials> changed) {
  Task& task = context.task;
  const Credentials& old = task.credentials();
  if (old.uid != changed->uid) {
    auto account = TRY(UserAccount::of(changed->uid));
    account->processes.fetch_add(1, std::memory_order_relaxed);
    task.account->processes.fetch_sub(1, std::memory_order_relaxed);
    if (task.is_leader()) context.process.account = account;
    task.account = std::move(account);
  }
  if (old.euid != changed->euid || old.egid != changed->egid || old.fsuid != changed->fsuid ||
      old.fsgid != changed->fsgid || !changed->permitted.is_subset_of(old.permitted)) {
    context.process.dumpable.store(static_cast<std::uint32_t>(core_settings.suid_dumpable.load()));
    task.parent_death_signal = 0;
  }
  task.set_credentials(std::move(changed));
  return 0;
}

// One of the three ids: -1 leaves it.
bool is_kept(std::uint32_t id) { return id == vfs::no_id; }

}  // namespace

Result<long> sys_getuid(Context& context) { return context.task.credentials().uid; }
Result<long> sys_geteuid(Context& context) { return context.task.credentials().euid; }
Result<long> sys_getgid(Context& context) { return context.task.credentials().gid; }
Result<long> sys_getegid(Context& context) { return context.task.credentials().egid; }

Result<long> sys_setuid(Context& context, std::uint32_t id) {
  const Credentials& old = context.task.credentials();
  if (is_kept(id)) return error(Errno::einval);
  auto changed = TRY(old.try_clone());
  if (old.can(Capability::setuid))
    changed->uid = changed->suid = id;
  else if (id != old.uid && id != old.suid)
    return error(Errno::eperm);
  changed->euid = changed->fsuid = id;
  adjust_capabilities(old, *changed);
  return commit(context, std::move(changed));
}

Result<long> sys_setreuid(Context& context, std::uint32_t real, std::uint32_t effective) {
  const Credentials& old = context.task.credentials();
  bool privileged = old.can(Capability::setuid);
  auto changed = TRY(old.try_clone());
  if (!is_kept(real)) {
    if (!privileged && real != old.uid && real != old.euid) return error(Errno::eperm);
    changed->uid = real;
  }
  if (!is_kept(effective)) {
    if (!privileged && effective != old.uid && effective != old.euid && effective != old.suid)
      return error(Errno::eperm);
    changed->euid = effective;
  }
  if (!is_kept(real) || (!is_kept(effective) && effective != old.uid)) changed->suid = changed->euid;
  changed->fsuid = changed->euid;
  adjust_capabilities(old, *changed);
  return commit(context, std::move(changed));
}

Result<long> sys_setresuid(Context& context, std::uint32_t real, std::uint32_t effective,
                           std::uint32_t saved) {
  const Credentials& old = context.task.credentials();
  auto allowed = [&](std::uint32_t id) {
    return is_kept(id) || id == old.uid || id == old.euid || id == old.suid || old.can(Capability::setuid);
  };
  if (!allowed(real) || !allowed(effective) || !allowed(saved)) return error(Errno::eperm);
  auto changed = TRY(old.try_clone());
  if (!is_kept(real)) changed->uid = real;
  if (!is_kept(effective)) changed->euid = effective;
  if (!is_kept(saved)) changed->suid = saved;
  changed->fsuid = changed->euid;
  adjust_capabilities(old, *changed);
  return commit(context, std::move(changed));
}

Result<long> sys_getresuid(Context& context, UserOut<std::uint32_t> real, UserOut<std::uint32_t> effective,
                           UserOut<std::uint32_t> saved) {
  const Credentials& own = context.task.credentials();
  TRY(real.write(own.uid));
  TRY(effective.write(own.euid));
  TRY(saved.write(own.suid));
  return 0;
}

Result<long> sys_setfsuid(Context& context, std::uint32_t id) {
  const Credentials& old = context.task.credentials();
  long before = static_cast<long>(old.fsuid);
  if (is_kept(id) || id == old.fsuid) return before;
  if (id != old.uid && id != old.euid && id != old.suid && !old.can(Capability::setuid)) return before;
  auto changed = old.try_clone();
  if (!changed) return before;
  (*changed)->fsuid = id;
  if (!(old.secure_bits & secure_no_setuid_fixup)) {
    if (old.fsuid == 0 && id != 0) (*changed)->effective = old.effective - vfs::file_system_capabilities;
    if (old.fsuid != 0 && id == 0)
      (*changed)->effective = old.effective | (old.permitted & vfs::file_system_capabilities);
  }
  (void)commit(context, std::move(*changed));
  return before;
}

Result<long> sys_setgid(Context& context, std::uint32_t id) {
  const Credentials& old = context.task.credentials();
  if (is_kept(id)) return error(Errno::einval);
  auto changed = TRY(old.try_clone());
  if (old.can(Capability::setgid))
    changed->gid = changed->sgid = id;
  else if (id != old.gid && id != old.sgid)
    return error(Errno::eperm);
  changed->egid = changed->fsgid = id;
  return commit(context, std::move(changed));
}

Result<long> sys_setregid(Context& context, std::uint32_t real, std::uint32_t effective) {
  const Credentials& old = context.task.credentials();
  bool privileged = old.can(Capability::setgid);
  auto changed = TRY(old.try_clone());
  if (!is_kept(real)) {
    if (!privileged && real != old.gid && real != old.egid) return error(Errno::eperm);
    changed->gid = real;
  }
  if (!is_kept(effective)) {
    if (!privileged && effective != old.gid && effective != old.egid && effective != old.sgid)
      return error(Errno::eperm);
    changed->egid = effective;
  }
  if (!is_kept(real) || (!is_kept(effective) && effective != old.gid)) changed->sgid = changed->egid;
  changed->fsgid = changed->egid;
  return commit(context, std::move(changed));
}

Result<long> sys_setresgid(Context& context, std::uint32_t real, std::uint32_t effective,
                           std::uint32_t saved) {
  const Credentials& old = context.task.credentials();
  auto allowed = [&](std::uint32_t id) {
    return is_kept(id) || id == old.gid || id == old.egid || id == old.sgid || old.can(Capability::setgid);
  };
  if (!allowed(real) || !allowed(effective) || !allowed(saved)) return error(Errno::eperm);
  auto changed = TRY(old.try_clone());
  if (!is_kept(real)) changed->gid = real;
  if (!is_kept(effective)) changed->egid = effective;
  if (!is_kept(saved)) changed->sgid = saved;
  changed->fsgid = changed->egid;
  return commit(context, std::move(changed));
}

Result<long> sys_getresgid(Context& context, UserOut<std::uint32_t> real, UserOut<std::uint32_t> effective,
                           UserOut<std::uint32_t> saved) {
  const Credentials& own = context.task.credentials();
  TRY(real.write(own.gid));
  TRY(effective.write(own.egid));
  TRY(saved.write(own.sgid));
  return 0;
}

Result<long> sys_setfsgid(Context& context, std::uint32_t id) {
  const Credentials& old = context.task.credentials();
  long before = static_cast<long>(old.fsgid);
  if (is_kept(id) || id == old.fsgid) return before;
  if (id != old.gid && id != old.egid && id != old.sgid && !old.can(Capability::setgid)) return before;
  auto changed = old.try_clone();
  if (!changed) return before;
  (*changed)->fsgid = id;
  (void)commit(context, std::move(*changed));
  return before;
}

}  // namespace linux_abi
